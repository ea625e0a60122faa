"""The scenarios: what is broken in each while the same kind of load goes in."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from tests.faults.load.disturbances import Disturbances
from tests.faults.load.late_mapping import map_late, map_late_and_kill

Breaking = Callable[[Disturbances], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Scenario:
    """`breaking` runs while the load is sent. `without_hub` and `refused` are dead destinations, each in its way.

    `counts_writes`: its outage, of a destination that is dead or of Event Hubs, is told with what it costs in tables.
    `most_rows`: how many of its writes to Undelivered a change may cost.
    `mapped_late`: it begins with few audiences mapped, and backfills run.
    """

    name: str
    breaking: Sequence[Breaking] = ()
    without_hub: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    storage_faults: bool = False
    counts_writes: bool = False
    most_rows: float | None = None
    mapped_late: bool = False

    @property
    def behind_proxy(self) -> bool:
        """Whether the app reaches its storage through the fault proxy."""
        return self.storage_faults or self.counts_writes

    @property
    def kills(self) -> bool:
        """Whether hosts die: what they had in hand comes again when its lease is over."""
        return Disturbances.kill_hosts in self.breaking or map_late_and_kill in self.breaking

    @property
    def dead(self) -> frozenset[str]:
        return self.without_hub | self.refused


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("calm"),
        Scenario("killed", [Disturbances.kill_hosts]),
        Scenario("broker down 60 s", [Disturbances.broker_outage], counts_writes=True),
        Scenario("throttled 60 s", [Disturbances.throttle], counts_writes=True, most_rows=0.1),
        Scenario("storage errors", [Disturbances.storage_errors], storage_faults=True),
        Scenario("one destination dead", without_hub=frozenset({"ads"}), counts_writes=True),
        Scenario("replies lost", [Disturbances.lose_replies]),
        Scenario("calm while backfilling", [map_late], mapped_late=True),
        Scenario("killed while backfilling", [map_late_and_kill], mapped_late=True),
        Scenario(
            "everything",
            [
                Disturbances.kill_hosts,
                Disturbances.broker_outage,
                Disturbances.lose_replies,
                Disturbances.storage_errors,
            ],
            refused=frozenset({"ads"}),
            storage_faults=True,
        ),
    )
}

SHORT = ("calm", "killed", "one destination dead")
"""The scenarios of the short form, which is part of the tests."""
