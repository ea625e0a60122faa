"""Two clients for the limit: the SDK's, tuned, and aiohttp alone."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientSession, TCPConnector
from azure.core import MatchConditions
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables import AccountSasPermissions, ResourceTypes, UpdateMode, generate_account_sas
from azure.data.tables.aio import TableServiceClient

_TABLES = ("Profiles", "AudienceMembers")
_VALID_FOR = timedelta(hours=12)


class SdkStorage:
    """One session for all tables, as many connections as it takes, nothing read from the environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._connection_string = environment["RELAY_STORAGE"]

    async def start(self) -> None:
        self._session = ClientSession(trust_env=False, auto_decompress=False, connector=TCPConnector(limit=0))
        transport = AioHttpTransport(session=self._session, session_owner=False, use_env_settings=False)
        self._account = TableServiceClient.from_connection_string(
            self._connection_string, transport=transport, use_env_settings=False
        )
        self._profiles, self._index = (self._account.get_table_client(name) for name in _TABLES)

    async def close(self) -> None:
        await self._account.close()
        await self._session.close()

    async def read(self, key: tuple[str, str]) -> tuple[Any, str]:
        row = await self._profiles.get_entity(*key)
        return row, str(row.metadata["etag"])

    async def replace(self, key: tuple[str, str], row: Any, etag: str) -> str:
        metadata = await self._profiles.update_entity(
            row, UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
        )
        return str(metadata["etag"])

    async def put_index_row(self, key: tuple[str, str]) -> None:
        await self._index.upsert_entity({"PartitionKey": key[0], "RowKey": key[1]}, UpdateMode.REPLACE)


class BareStorage:
    """The same requests, with a signature in the address that is made once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        parts = dict(part.split("=", 1) for part in environment["RELAY_STORAGE"].split(";") if part)
        self._endpoint = parts["TableEndpoint"]
        self._signature = generate_account_sas(
            AzureNamedKeyCredential(parts["AccountName"], parts["AccountKey"]),
            ResourceTypes(object=True),
            AccountSasPermissions(read=True, add=True, update=True),
            datetime.now(UTC) + _VALID_FOR,
        )

    async def start(self) -> None:
        self._session = ClientSession(trust_env=False, connector=TCPConnector(limit=0))

    async def close(self) -> None:
        await self._session.close()

    async def read(self, key: tuple[str, str]) -> tuple[Any, str]:
        async with self._session.get(self._address("Profiles", key), headers=_HEADERS) as response:
            response.raise_for_status()
            row = json.loads(await response.read())
            return row, response.headers["ETag"]

    async def replace(self, key: tuple[str, str], row: Any, etag: str) -> str:
        kept = {name: value for name, value in row.items() if not name.startswith(_SERVICES_OWN)}
        return await self._put("Profiles", key, kept, {"If-Match": etag})

    async def put_index_row(self, key: tuple[str, str]) -> None:
        await self._put("AudienceMembers", key, {"PartitionKey": key[0], "RowKey": key[1]}, {})

    async def _put(self, table: str, key: tuple[str, str], row: dict[str, Any], headers: dict[str, str]) -> str:
        body = json.dumps(row).encode()
        async with self._session.put(self._address(table, key), data=body, headers=_HEADERS | headers) as response:
            response.raise_for_status()
            await response.read()
            return response.headers["ETag"]

    def _address(self, table: str, key: tuple[str, str]) -> str:
        return f"{self._endpoint}/{table}(PartitionKey='{key[0]}',RowKey='{key[1]}')?{self._signature}"


_SERVICES_OWN = ("odata.", "Timestamp")
_HEADERS = {
    "Accept": "application/json;odata=minimalmetadata",
    "Content-Type": "application/json",
    "DataServiceVersion": "3.0",
    "MaxDataServiceVersion": "3.0;NetFx",
    "x-ms-version": "2019-02-02",
}
