"""Writes audience items into the catalog: those of a message in one save, and none where nothing changes."""

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

from shared.domain.configuration.audience_item import AudienceChange
from shared.domain.configuration.catalog import CatalogChanges, catalog_changes
from shared.domain.configuration.model import Configuration, ConfigurationFile
from shared.domain.instants import MILLISECOND
from shared.errors import ConfigurationError
from shared.ports.time import Clock
from shared.services.configuration.cache import ConfigurationCache
from shared.services.configuration.edit import EditConfiguration, as_file

IndexedAudience: TypeAlias = tuple[int, AudienceChange]


class WriteCatalog:
    def __init__(
        self, *, edit_configuration: EditConfiguration, configuration: ConfigurationCache, clock: Clock
    ) -> None:
        self._edit_configuration = edit_configuration
        self._configuration = configuration
        self._clock = clock
        # Messages of one worker would lose to each other; between workers the ETag decides.
        self._one_at_a_time = asyncio.Lock()

    async def write(self, items: Sequence[IndexedAudience]) -> list[CatalogChanges]:
        """Save what `items`, those of one message in their order, make of the catalog; this worker follows at once.

        Items that change nothing of what this worker has read within the lifetime of its cache cost no request.
        Raises ConflictError when others keep changing the configuration, StorageError.
        """
        targets = (await self._configuration.current()).targets
        foreseen = catalog_changes(targets.catalog, targets.by_audience, items, self._clock() // MILLISECOND)
        if foreseen.nothing_to_do:
            return [foreseen]
        async with self._one_at_a_time:
            return await self._save(items)

    async def _save(self, items: Sequence[IndexedAudience]) -> list[CatalogChanges]:
        """One of the items may be too much for the catalog: each of several is tried alone, a single one is refused."""
        saved = CatalogChanges()

        def edit(configuration: Configuration) -> ConfigurationFile:
            nonlocal saved
            catalog = {audience.key: audience for audience in configuration.audiences}
            mapped = {audience.key for dataflow in configuration.dataflows for audience in dataflow.audiences}
            saved = catalog_changes(catalog, mapped, items, self._clock() // MILLISECOND)
            audiences = [audience for audience in (catalog | saved.entries).values() if audience is not None]
            return as_file(configuration).model_copy(update={"audiences": audiences})

        try:
            await self._edit_configuration.apply(edit)
        except ConfigurationError as error:
            if len(items) > 1:
                return [changes for item in items for changes in await self._save([item])]
            return [CatalogChanges(refused=[(items[0][0], str(error))])]
        return [saved]
