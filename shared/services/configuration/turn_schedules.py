"""Map and unmap the audiences whose time has come or is over, so that no decision has to look at a clock.

docs/rules.md, "Audiences on a schedule".
"""

from dataclasses import dataclass

from shared.domain.configuration.schedules import schedules_due
from shared.domain.instants import MILLISECOND
from shared.ports.time import Clock
from shared.services.configuration.edit import EditConfiguration, as_file


@dataclass(frozen=True, slots=True)
class TurnSchedules:
    edit: EditConfiguration
    clock: Clock

    async def run(self) -> list[str]:
        """What changed, a line each. Raises ConfigurationError, ConflictError, StorageError."""
        if not schedules_due(await self.edit.load(), self.clock() // MILLISECOND):
            return []
        return (await self.edit.apply(as_file)).summary
