"""Why a backfill stands still, or goes slowly: for whoever wonders why nothing happens."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.backfills.backfill import Backfill, BackfillState, Slice
from shared.domain.instants import MINUTE

STALLED_AFTER = 3 * MINUTE
"""A slice that nobody has been at for so long is started again."""
LIVE_CHANGES_FIRST = "live changes go first"
"""The note of a slice whose worker rests between the steps, for it has changes to handle."""


class StandstillReason(StrEnum):
    """`held`: for what its slices say, as `why` has it."""

    NOT_DUE = "not-due"
    NOT_STARTED = "not-started"
    PAUSED = "paused"
    DESTINATION_DOWN = "destination-down"
    LIVE_CHANGES = "live-changes"
    HELD = "held"
    STALLED = "stalled"


@dataclass(frozen=True, slots=True)
class Standstill:
    """`why` in words; `since` in microseconds, 0 where that is not known."""

    reason: StandstillReason
    why: str
    since: int = 0


def standstill_of(
    backfill: Backfill, slices: Sequence[Slice], *, paused: bool, down_since: int, now: int
) -> Standstill | None:
    """None for one that goes on as it should, or has ended. `paused`: its dataflow is; `down_since`: 0 where its
    destination is not.
    """
    if backfill.finished:
        return None
    if paused:
        return Standstill(StandstillReason.PAUSED, "the dataflow is paused")
    if backfill.state == BackfillState.WAITING:
        if now < backfill.due_at:
            return Standstill(StandstillReason.NOT_DUE, "every worker is to know the mapping first")
        return Standstill(StandstillReason.NOT_STARTED, "run_backfill has not started it yet", backfill.due_at)
    if down_since:
        return Standstill(StandstillReason.DESTINATION_DOWN, "the destination is down", down_since)
    left = [part for part in slices if not part.done]
    if notes := Counter(part.note for part in left if part.note):
        note = notes.most_common(1)[0][0]
        return Standstill(StandstillReason.LIVE_CHANGES if note == LIVE_CHANGES_FIRST else StandstillReason.HELD, note)
    last = max((part.updated_at for part in left), default=now)
    if now - last > STALLED_AFTER:
        return Standstill(StandstillReason.STALLED, "no worker has been at it", last)
    return None
