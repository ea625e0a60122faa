"""The Configuration table: one row, so that a reader sees the whole configuration as it was at one moment.

Shadows are in a column of their own: the previous release reads the row without them, and drops them when it writes it.
"""

import zlib

from pydantic import TypeAdapter

from shared.adapters.tables.previous_release import previous_reads, refuse_for_previous
from shared.adapters.tables.service.chunks import ROW_LIMIT, from_chunks, row_size, to_chunks
from shared.adapters.tables.service.table import Table
from shared.domain.configuration.model import AS_STORED, Configuration, Shadow
from shared.errors import ConfigurationError
from shared.ports.configuration import StoredConfiguration
from shared.settings import PREVIOUS_RELEASE, THIS_RELEASE

_KEYS = {"PartitionKey": "configuration", "RowKey": "current"}
_OLDEST_RELEASE = "oldestRelease"
_SHADOWS = "shadows"
_SHADOW_LIST = TypeAdapter(list[Shadow])


class TableConfiguration:
    """`oldest_release` that may still run; by default the previous one, where the row is of its making. What that one
    cannot read is refused then.
    """

    def __init__(self, table: Table, oldest_release: str | None = None) -> None:
        self._table = table
        self._last: StoredConfiguration | None = None
        self._oldest_release = oldest_release
        self._oldest_by_row = THIS_RELEASE

    async def load(self) -> StoredConfiguration:
        row = await self._table.get(_KEYS["PartitionKey"], _KEYS["RowKey"])
        if row is None:
            self._oldest_by_row = THIS_RELEASE
            return StoredConfiguration(Configuration(), None)
        # The previous release leaves the column out, also where it replaces a row that had it.
        self._oldest_by_row = row.properties.get(_OLDEST_RELEASE, PREVIOUS_RELEASE)
        if self._last is None or self._last.etag != row.etag:
            document = zlib.decompress(from_chunks("document", row.properties))
            configuration = Configuration.model_validate_json(document, context=AS_STORED)
            if shadows := from_chunks(_SHADOWS, row.properties):
                configuration.shadows = _SHADOW_LIST.validate_json(zlib.decompress(shadows), context=AS_STORED)
            self._last = StoredConfiguration(configuration, row.etag)
        return self._last

    async def save(self, configuration: Configuration, etag: str | None) -> None:
        """Also raises ConfigurationError for a configuration that does not fit one row, or that an instance of the
        previous release could not read.
        """
        oldest = await self._oldest_that_reads(etag)
        if oldest == PREVIOUS_RELEASE:
            refuse_for_previous(configuration)
        document = configuration.model_dump_json(by_alias=True, exclude_defaults=True, exclude={"shadows"})
        properties: dict[str, str | bytes | int] = {**_KEYS, **to_chunks("document", zlib.compress(document.encode()))}
        if configuration.shadows:
            shadows = _SHADOW_LIST.dump_json(configuration.shadows, by_alias=True, exclude_defaults=True)
            properties |= to_chunks(_SHADOWS, zlib.compress(shadows))
        if oldest == THIS_RELEASE:
            properties[_OLDEST_RELEASE] = oldest
        if (size := row_size(properties)) > ROW_LIMIT - 1024:
            raise ConfigurationError(
                f"the configuration would need {size:,} bytes in Table Storage and one row takes {ROW_LIMIT:,}: "
                "remove audiences or dataflows that are no longer needed"
            )
        if etag is None:
            await self._table.insert(properties)
        else:
            await self._table.replace(properties, etag)

    async def _oldest_that_reads(self, etag: str | None) -> str:
        """Which release must be able to read what is saved: not the previous one where it could not read it before."""
        if etag is None:
            return self._oldest_release or THIS_RELEASE
        if self._last is None or self._last.etag != etag:
            await self.load()
        if self._last is not None and not previous_reads(self._last.configuration):
            return THIS_RELEASE
        return self._oldest_release or self._oldest_by_row
