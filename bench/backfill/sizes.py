"""How much is measured, and what must hold."""

from dataclasses import dataclass

MILLION = 1_000_000
SECONDS_FOR_A_MILLION = 3_600
COUNTS_EQUAL_WITHIN = 0.02


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """`few` and `many` members, and `outsiders` beside as `few` members; `live_per_second` caps the backfill beside
    live changes, None as the app does by default.
    """

    few: int
    many: int
    outsiders: int
    repetitions: int
    live_members: int
    calibration_changes: int
    live_warm_up_seconds: float
    live_seconds: float
    live_pairs: int
    live_per_second: int | None
    most_p95_ratio: float | None


FULL = Sizes(
    few=10_000,
    many=100_000,
    outsiders=100_000,
    repetitions=3,
    live_members=40_000,
    calibration_changes=3_000,
    live_warm_up_seconds=10,
    live_seconds=45,
    live_pairs=3,
    live_per_second=None,
    most_p95_ratio=2.0,
)
SHORT = Sizes(
    few=100,
    many=1_000,
    outsiders=1_000,
    repetitions=1,
    live_members=1_500,
    calibration_changes=100,
    live_warm_up_seconds=1,
    live_seconds=4,
    live_pairs=1,
    live_per_second=200,
    most_p95_ratio=None,
)
