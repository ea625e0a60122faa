"""A destination's last exports, as whoever looks may see them."""

from dataclasses import dataclass
from typing import Any

from shared.domain.jsonvalue import parse_json
from shared.services.last_exports import SentExport

HIDDEN = {str: "(text)", bool: "(true or false)", int: "(number)", float: "(number)", type(None): "(null)"}
"""What stands in a value's place, by its type."""


@dataclass(frozen=True, slots=True)
class TailEntry:
    """`profile_id` is None where it is not to be seen, `body` where it was too large to be kept."""

    at: int
    size: int
    profile_id: str | None
    reasons: tuple[str, ...]
    occurred_at: int
    body: Any


def tail_entry(sent: SentExport, *, masked: bool) -> TailEntry:
    """`masked`: for somebody who may not view profiles."""
    export = sent.export
    body = parse_json(export.body.decode()) if export.body else None
    return TailEntry(
        at=sent.at,
        size=sent.size,
        profile_id=None if masked else export.profile_id,
        reasons=export.reasons,
        occurred_at=export.occurred_at,
        body=mask(body) if masked and body is not None else body,
    )


def mask(value: Any) -> Any:
    """The same members and items, with the type of each value in its place."""
    if isinstance(value, dict):
        return {name: mask(member) for name, member in value.items()}
    if isinstance(value, list):
        return [mask(item) for item in value]
    return HIDDEN[type(value)]
