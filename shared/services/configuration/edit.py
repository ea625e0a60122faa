"""Changes of single entries of the configuration: each is planned and saved as a whole file would be."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.domain.configuration.model import Configuration, ConfigurationFile
from shared.domain.configuration.plan import Plan
from shared.ports.configuration import ConfigurationStore
from shared.ports.health import HealthStore
from shared.ports.time import Clock
from shared.services.configuration.apply import change_configuration
from shared.services.configuration.cache import ConfigurationCache

Edit = Callable[[Configuration], ConfigurationFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditConfiguration:
    store: ConfigurationStore
    health: HealthStore
    configuration: ConfigurationCache
    clock: Clock

    async def load(self) -> Configuration:
        """The configuration as it is stored now, not as this worker may have cached it. Raises StorageError."""
        return (await self.store.load()).configuration

    async def apply(self, edit: Edit, *, prune: bool = True, dry_run: bool = False) -> Plan:
        """Make the configuration what `edit` makes of it; with `prune`, entries that it leaves out are removed.

        This worker follows at once, the others within CONFIG_CACHE_SECONDS. Raises as `change_configuration` does.
        """
        planned = await change_configuration(self.store, self.health, edit, self.clock, prune=prune, dry_run=dry_run)
        if planned.changes_something and not dry_run:
            self.configuration.outdate()
        return planned


def as_file(configuration: Configuration) -> ConfigurationFile:
    """The file that, applied with `prune`, changes nothing."""
    return ConfigurationFile(
        audiences=configuration.audiences, destinations=configuration.destinations, dataflows=configuration.dataflows
    )
