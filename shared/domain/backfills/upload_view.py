"""An upload as its owner sees it."""

from dataclasses import dataclass

from shared.domain.backfills.backfill import Backfill, BackfillState, Slice
from shared.domain.backfills.upload import BadLine, UploadFormat, UploadOrder, UploadTally
from shared.domain.profile.memberships import AudienceKey


@dataclass(frozen=True, slots=True)
class Upload:
    """Times are microseconds, 0 where something has not happened; `committed_at` is also that of all its changes.
    `bytes` are those of its file, once it is committed; `share` is how much is done, from 0 to 1.

    `note`: why it ended as it did, or what keeps it from going on.
    """

    id: str
    audience: AudienceKey
    state: BackfillState
    format: UploadFormat
    refresh: bool
    replace: bool
    force: bool
    bytes: int
    lines: int
    accepted: int
    bad: int
    bad_lines: tuple[BadLine, ...]
    exits: int
    share: float
    created_at: int
    committed_at: int
    started_at: int
    finished_at: int
    note: str

    @classmethod
    def of(cls, backfill: Backfill, part: Slice | None = None) -> "Upload":
        """Of a backfill that is an upload, and of its slice once there is one."""
        order = backfill.upload or UploadOrder(replace=False, force=False, writable_until=0)
        tally = UploadTally.from_text(part.tally if part else "")
        note = backfill.note or (part.note if part else "")
        if backfill.state == BackfillState.DONE and order.replace and not order.exits_called_for(tally):
            note = (
                "nobody left the audience, for there are bad lines: correct them and upload the file again, or force it"
            )
        return cls(
            id=backfill.id,
            audience=backfill.audiences[0][0],
            state=backfill.state,
            format=order.format,
            refresh=order.refresh,
            replace=order.replace,
            force=order.force,
            bytes=order.size,
            lines=tally.lines,
            accepted=tally.accepted,
            bad=tally.bad,
            bad_lines=tally.bad_lines,
            exits=tally.exits,
            share=part.share if part else 0.0,
            created_at=backfill.requested_at,
            committed_at=order.time,
            started_at=backfill.started_at,
            finished_at=backfill.finished_at,
            note=note,
        )
