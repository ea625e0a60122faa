"""The Configuration table: one row, so that a reader sees the whole configuration as it was at one moment."""

import zlib

from shared.adapters.tables.service.chunks import ROW_LIMIT, from_chunks, row_size, to_chunks
from shared.adapters.tables.service.table import Table
from shared.domain.configuration.model import AS_STORED, Configuration
from shared.errors import ConfigurationError
from shared.ports.configuration import StoredConfiguration

_KEYS = {"PartitionKey": "configuration", "RowKey": "current"}


class TableConfiguration:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._last: StoredConfiguration | None = None

    async def load(self) -> StoredConfiguration:
        row = await self._table.get(_KEYS["PartitionKey"], _KEYS["RowKey"])
        if row is None:
            return StoredConfiguration(Configuration(), None)
        if self._last is None or self._last.etag != row.etag:
            document = zlib.decompress(from_chunks("document", row.properties))
            self._last = StoredConfiguration(Configuration.model_validate_json(document, context=AS_STORED), row.etag)
        return self._last

    async def save(self, configuration: Configuration, etag: str | None) -> None:
        """Also raises ConfigurationError for a configuration that does not fit one row."""
        document = configuration.model_dump_json(by_alias=True, exclude_defaults=True)
        properties: dict[str, str | bytes | int] = {**_KEYS, **to_chunks("document", zlib.compress(document.encode()))}
        if (size := row_size(properties)) > ROW_LIMIT - 1024:
            raise ConfigurationError(
                f"the configuration would need {size:,} bytes in Table Storage and one row takes {ROW_LIMIT:,}: "
                "remove audiences or dataflows that are no longer needed"
            )
        if etag is None:
            await self._table.insert(properties)
        else:
            await self._table.replace(properties, etag)
