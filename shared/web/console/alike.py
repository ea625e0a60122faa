"""What is in quarantine for the same reason, folded together."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from shared.ports.quarantine import QuarantinedEntry

_WHICH = re.compile(r"^item \d+: ")


@dataclass(frozen=True, slots=True)
class Alike:
    """`reason` without the item that it is about; `rows` the newest first, those of one message by their number."""

    code: str | None
    reason: str
    rows: list[QuarantinedEntry]


def groups_of(entries: Iterable[QuarantinedEntry]) -> list[Alike]:
    """In the order in which the first of each comes."""
    groups: dict[tuple[str | None, str], Alike] = {}
    for entry in sorted(entries, key=lambda each: (-each.received_at, each.message_id, each.item or 0)):
        reason = _WHICH.sub("", entry.reason)
        groups.setdefault((entry.code, reason), Alike(entry.code, reason, [])).rows.append(entry)
    return list(groups.values())
