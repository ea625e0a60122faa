"""The last exports to a destination."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from shared.domain.exports.lag_look import LagLook
from shared.domain.jsonvalue import parse_json
from shared.services.runs.shown_exports import ShownExport
from shared.views.view import Instant, View

LARGEST_BODY = 16 * 1024
HIDDEN = {str: "(text)", bool: "(true or false)", int: "(number)", float: "(number)", type(None): "(null)"}
"""What stands in a value's place, by its type."""


class LastExportView(View):
    """An export that its hub acknowledged. `profileId` and `profileKey` are null for who may not view profiles."""

    acknowledged_at: Instant
    occurred_at: Instant
    reasons: list[str]
    bytes: int
    profile_version: int
    config_revision: int
    profile_id: str | None = Field(description="Null, too, where the profile was forgotten")
    profile_key: str | None
    body_state: Literal["sent", "changed", "unmapped", "forgotten"] = Field(
        description="Whether `body` is what was `sent`; or, since the profile or the mapping has `changed`, what would "
        "be sent now; or there is none: the destination maps no audience of the profile any more, or it was forgotten"
    )
    read_by: list[str] = Field(
        description="Consumer groups that had read past it when their checkpoints were looked at, up to 15 minutes "
        "ago; empty where that is not known"
    )
    body: Any = Field(
        description="Null where there is none, or it is larger than 16 KiB. For who may not view profiles, the type "
        "of each value stands in its place"
    )

    @classmethod
    def of(cls, shown: ShownExport, look: LagLook | None, *, masked: bool) -> "LastExportView":
        """`look`: the last at the hub's consumers. `masked`: for somebody who may not view profiles."""
        sent = shown.sent
        body = parse_json(shown.body.decode()) if shown.body and len(shown.body) <= LARGEST_BODY else None
        return cls(
            acknowledged_at=sent.at,
            occurred_at=sent.occurred_at,
            reasons=sent.reasons,
            bytes=sent.size,
            profile_version=sent.version,
            config_revision=sent.config_revision,
            profile_id=None if masked else shown.profile_id,
            profile_key=None if masked else sent.profile_key,
            body_state=shown.state.value,
            read_by=[] if look is None else look.readers_past(sent.profile_key, sent.at),
            body=mask(body) if masked and body is not None else body,
        )


class LastExportList(View):
    """The latest first; `masked`: without what only those with ViewProfiles may see."""

    last_exports: list[LastExportView]
    masked: bool

    @classmethod
    def of(cls, shown: Iterable[ShownExport], look: LagLook | None, *, masked: bool) -> "LastExportList":
        return cls(last_exports=[LastExportView.of(each, look, masked=masked) for each in shown], masked=masked)


def mask(value: Any) -> Any:
    """The same members and items, with the type of each value in its place."""
    if isinstance(value, dict):
        return {name: mask(member) for name, member in value.items()}
    if isinstance(value, list):
        return [mask(item) for item in value]
    return HIDDEN[type(value)]
