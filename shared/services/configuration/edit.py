"""Changes of single entries of the configuration: each is planned and saved as a whole file would be."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel

from shared.domain.configuration.model import (
    Configuration,
    ConfigurationFile,
    Entry,
)
from shared.domain.configuration.plan import Plan, identity_of
from shared.domain.profile.memberships import AudienceKey
from shared.errors import InUseError, NotConfiguredError
from shared.ports.configuration import ConfigurationStore
from shared.ports.health import HealthStore
from shared.ports.time import Clock
from shared.services.configuration.apply import alter_configuration, change_configuration
from shared.services.configuration.cache import ConfigurationCache

Edit = Callable[[Configuration], ConfigurationFile]
Check = Callable[[BaseModel | None], None]
"""Is shown what is there before it is changed, None for nothing, and raises PreconditionFailedError to prevent that."""


def unchecked(_there: BaseModel | None) -> None:
    """Whatever is there may be changed."""


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

    async def alter(self, altered: Callable[[Configuration], Configuration]) -> Configuration:
        """Save what `altered` makes of the configuration, of what no file has. Raises as `alter_configuration` does."""
        configuration = await alter_configuration(self.store, altered)
        self.configuration.outdate()
        return configuration

    async def put(
        self,
        kind: type[Entry],
        identity: tuple[str, ...],
        wanted_of: Callable[[Entry | None], Entry],
        check: Check = unchecked,
    ) -> Plan:
        """Replace an entry by what `wanted_of` makes of it, or add what it makes of None.

        Raises as `apply` does, and what `check` and `wanted_of` do.
        """
        section = f"{kind.__name__.lower()}s"

        def edit(configuration: Configuration) -> ConfigurationFile:
            file = as_file(configuration)
            entries: dict[tuple[str, ...], Entry] = {identity_of(each): each for each in getattr(file, section)}
            before = entries.get(identity)
            check(before)
            entries[identity] = wanted_of(before)
            return ConfigurationFile.model_validate(dict(file) | {section: list(entries.values())})

        return await self.apply(edit)

    async def change(
        self, kind: type[Entry], identity: tuple[str, ...], changed: Callable[[Entry], Entry], check: Check = unchecked
    ) -> Plan:
        """The same for an entry that there must be. Raises NotConfiguredError, too."""

        def wanted_of(before: Entry | None) -> Entry:
            if before is None:
                raise NotConfiguredError(kind.__name__.lower())
            return changed(before)

        return await self.put(kind, identity, wanted_of, check)

    async def remove_audience(self, key: AudienceKey, check: Check = unchecked) -> Plan:
        """Profiles keep their memberships. Raises NotConfiguredError, InUseError while a dataflow maps it, what `check`
        does, ConflictError, StorageError.
        """

        def edit(configuration: Configuration) -> ConfigurationFile:
            audience = configuration.audience(key)
            check(audience)
            mapping = [each.id for each in configuration.dataflows if key in {it.key for it in each.audiences}]
            if mapping:
                raise InUseError(f"it is mapped by the dataflow {', '.join(mapping)}: take it out of there first")
            left = [each for each in configuration.audiences if each is not audience]
            return as_file(configuration).model_copy(update={"audiences": left})

        return await self.apply(edit)


def as_file(configuration: Configuration) -> ConfigurationFile:
    """The file that, applied with `prune`, changes nothing."""
    return ConfigurationFile(
        audiences=configuration.audiences, destinations=configuration.destinations, dataflows=configuration.dataflows
    )
