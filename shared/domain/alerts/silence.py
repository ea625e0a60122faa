"""Silence: hardly any changes are received at an hour at which some usually are."""

from collections.abc import Sequence

from shared.domain.instants import DAY, MINUTE
from shared.domain.runs import SLOT

SILENT_FOR = 120 * MINUTE
"""So long nothing was received: longer than people start late, and than the clock is put forward or back."""
BEFORE = (7 * DAY, 14 * DAY, 21 * DAY)
"""How long ago the same hours of the same weekday were, so that weekends and nights are compared with their like."""
_STEADY = 30 * MINUTE // SLOT
_SHARE = 10


def may_be_silent(lately: Sequence[int]) -> bool:
    """Whether so few slots had changes that it is worth to look at earlier weeks."""
    return sum(map(bool, lately)) * 2 <= len(lately)


def missing_changes(lately: Sequence[int], before: Sequence[Sequence[int]]) -> int:
    """How many changes less came than the same hours usually had, where not even a tenth of them did; else 0.

    `lately` and each of `before` are the changes received by SLOT over SILENT_FOR, `lately` also of the slot that runs.
    Of an odd number of weeks the middle counts: one holiday, or one upload, among them changes nothing. What comes now
    and then all the same, as on a holiday, does not end a silence, or there would be an alert after each of it.
    """
    if not before or not may_be_silent(lately):
        return 0
    usual, came = sorted(map(_steady, before))[len(before) // 2], sum(lately)
    return usual - came if came * _SHARE < usual else 0


def _steady(counts: Sequence[int]) -> int:
    """All of them, or 0 where a half-hour had none: what comes now and then isn't missed when it does not."""
    halves = [sum(counts[start : start + _STEADY]) for start in range(0, len(counts), _STEADY)]
    return sum(halves) if all(halves) else 0
