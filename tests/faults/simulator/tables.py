"""What outlives every worker: tables, queues and hubs, and the clock of them all."""

import asyncio
from typing import Any

from shared.domain.instants import SECOND
from shared.domain.timers import TIMERS
from shared.services.wiring import Services
from shared.settings import Settings
from tests.faults.load.configuration import configuration as whole
from tests.faults.simulator.hubs import SEND_TIMEOUT, Hubs
from tests.faults.simulator.queues import SimulatedQueues
from tests.kit.app_settings import DEPLOYED
from tests.kit.builders import NOW, configuration
from tests.kit.fakes.configuration import MemoryConfiguration
from tests.kit.fakes.profiles import MemoryMembers, MemoryProfiles
from tests.kit.world import World

WATCH, BACKFILL = "watch_destinations", "run_backfill"
SETTINGS = Settings.from_environment(
    DEPLOYED
    | {f"AzureWebJobs.{timer}.Disabled": "true" for timer in TIMERS if timer not in (WATCH, BACKFILL)}
    | {"SEND_TIMEOUT": str(SEND_TIMEOUT)}
)
_REACHED = (
    *("profiles", "members", "configuration", "health", "quarantine", "undelivered", "backfills"),
    *("timers", "poison_rounds"),
)
"""The ports that may fail, besides queues and hubs. Counting is none: nothing that is exported hangs on it."""


class Tables:
    def __init__(self, hubs: Hubs) -> None:
        self.world = World(MemoryProfiles(), SETTINGS)
        self.world.members = MemoryMembers(self.clock)
        given = configuration(whole())
        self.world.configuration = MemoryConfiguration(given.model_copy(update={"requested_backfills": []}))
        self.queues = SimulatedQueues(self.clock)
        self.hubs = hubs

    @staticmethod
    def clock() -> int:
        return NOW + int(asyncio.get_running_loop().time() * SECOND)

    @property
    def ports(self) -> dict[str, Any]:
        return {name: getattr(self.world, name) for name in _REACHED}

    def services(self, reached: dict[str, Any], **ports: Any) -> Services:
        """Those of a worker that reaches the ports so."""
        return self.world.new_worker(**reached, **ports)
