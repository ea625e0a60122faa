"""What destinations were told of a profile, as far as its row says: for people who ask what happened."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.domain.exports.undelivered import Undelivered, UndeliveredState
from shared.domain.profile.last_told import of_mark
from shared.domain.profile.state import ProfileState


@dataclass(frozen=True, slots=True)
class ToldExport:
    """An export that a change called for: saved with the profile at `version`, and sent right after.

    `item`: the queue message and item that called for it, while the row says so, for a day. `waits`: it is undelivered,
    or what is undelivered stands for it. Of what does not wait, the hub has acknowledged this version or a later one,
    or the message is in somebody's hand or comes again: only then is anything neither acknowledged nor undelivered.
    """

    destination_id: str
    version: int
    reasons: tuple[str, ...]
    item: str | None = None
    waits: bool = False

    @property
    def at(self) -> int:
        """When, in microseconds: the clock at the save is what a version is, unless clocks differ."""
        return self.version


def told_exports(state: ProfileState, undelivered: Mapping[str, Undelivered]) -> list[ToldExport]:
    """Of the last day all, of earlier the last one for each destination; the latest first.

    `undelivered`: by destination id. Backfills, resyncs and retries are not among them: they do not save the profile.
    """
    exports = [
        ToldExport(destination_id, due.version, tuple(reasons), item)
        for item, due in state.due.items()
        for destination_id, reasons in due.reasons.items()
    ]
    exports += [ToldExport(destination_id, *of_mark(told)) for destination_id, told in state.told.items()]
    waiting = {destination_id: _waiting(row, exports) for destination_id, row in undelivered.items()}
    nothing: frozenset[int] = frozenset()
    exports = [replace(each, waits=each.version in waiting.get(each.destination_id, nothing)) for each in exports]
    return sorted(exports, key=lambda each: (-each.version, each.destination_id))


def _waiting(row: Undelivered, exports: list[ToldExport]) -> frozenset[int]:
    """The versions that the row stands for.

    The first is the last one that was called for before its first failure, for the same reasons: a row stays until its
    destination has heard all of it, so that an earlier failure would be the first. Those up to its version are among
    them, and, where nothing is tried, all later ones.
    """
    since = max(
        (
            each.version
            for each in exports
            if each.destination_id == row.destination_id
            and each.version <= min(row.first_failed_at, row.version)
            and set(each.reasons) <= set(row.reasons)
        ),
        default=row.first_failed_at,
    )
    return frozenset(
        each.version
        for each in exports
        if each.destination_id == row.destination_id
        and each.version >= since
        and (each.version <= row.version or row.state == UndeliveredState.PARKED)
    )
