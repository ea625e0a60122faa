"""How much is measured."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """`rounds` come after one that warms up; numbers of changes are multiples of `scene.DECK`. Times are seconds.

    `host_messages` are how many messages a host is given, by how many changes are in each.
    """

    rounds: int
    changes: int
    counted_changes: int
    calibration_changes: int
    latency_warm_up: float
    latency_window: float
    latency_passes: int
    stored: tuple[int, ...]
    growth_rounds: int
    growth_changes: int
    core_rounds: int
    memory_profiles: int
    memory_warm_up: float
    memory_seconds: float
    host_rounds: int
    host_messages: Mapping[int, int]
    kills: int
    against_changes: int
    starts: int


FULL = Sizes(
    rounds=7,
    changes=1_200,
    counted_changes=400,
    calibration_changes=4_000,
    latency_warm_up=3,
    latency_window=12,
    latency_passes=2,
    stored=(1_000, 10_000, 100_000),
    growth_rounds=6,
    growth_changes=160,
    core_rounds=20,
    memory_profiles=20_000,
    memory_warm_up=60,
    memory_seconds=600,
    host_rounds=3,
    host_messages={1: 2_000, 20: 600},
    kills=20,
    against_changes=1_200,
    starts=3,
)
SHORT = Sizes(
    rounds=1,
    changes=80,
    counted_changes=40,
    calibration_changes=100,
    latency_warm_up=0,
    latency_window=1,
    latency_passes=1,
    stored=(100, 300),
    growth_rounds=1,
    growth_changes=40,
    core_rounds=1,
    memory_profiles=100,
    memory_warm_up=0,
    memory_seconds=1,
    host_rounds=1,
    host_messages={1: 100, 20: 20},
    kills=1,
    against_changes=80,
    starts=1,
)
