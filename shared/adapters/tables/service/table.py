"""Table Storage through the Azure SDK. Its exceptions become ConflictError or StorageError here."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables import TableEntity
from azure.data.tables.aio import TableServiceClient

from shared.adapters.identity import credential
from shared.adapters.renewing_transport import RenewingTransport
from shared.adapters.storage_reasons import storage_error
from shared.adapters.tables.service.continuation import decode_token, encode_token
from shared.adapters.tables.service.entity_requests import EntityRequests
from shared.errors import BadContinuationError, ConflictError, RowTooLargeError, StorageError
from shared.settings import Connection

REQUEST_TIMEOUT = 15.0
CONCURRENT_REQUESTS = 64
_MOST_IN_A_BATCH = 100
_CONTINUATION = ("PartitionKey", "RowKey")


@dataclass(frozen=True, slots=True)
class Row:
    """`written_at` is the service's own time, None where the query selected other columns alone."""

    properties: Mapping[str, Any]
    etag: str
    written_at: datetime | None = None


class Account:
    """The connection to a storage account's tables, made at the first request."""

    def __init__(self, connection: Connection) -> None:
        # The SDK would read proxies and .netrc from the environment at every single request.
        patience: dict[str, Any] = {"use_env_settings": False, "connection_timeout": 5, "read_timeout": 10}
        retries: dict[str, Any] = {"retry_total": 3, "retry_backoff_factor": 0.2, "retry_backoff_max": 2}
        if connection.connection_string:
            transport = AioHttpTransport(**patience)
            self.service = TableServiceClient.from_connection_string(
                connection.connection_string, transport=transport, **retries
            )
        else:
            identity = credential(connection.client_id)
            transport = RenewingTransport(identity, **patience)
            self.service = TableServiceClient(
                connection.endpoint or "", credential=identity, transport=transport, **retries
            )
        self.requests = EntityRequests(self.service, transport, retries, REQUEST_TIMEOUT)

    async def close(self) -> None:
        await self.requests.close()
        await self.service.close()

    async def __aenter__(self) -> "Account":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Table:
    """One table of one account.

    Every request ends within REQUEST_TIMEOUT seconds, retries included; more than CONCURRENT_REQUESTS wait for their
    turn first, for a few large messages ask for thousands of rows at once.
    """

    def __init__(self, account: Account, name: str) -> None:
        self._client = account.service.get_table_client(name)
        self._requests = account.requests
        self.name = name
        self._turns = asyncio.Semaphore(CONCURRENT_REQUESTS)

    async def create_if_missing(self) -> None:
        async with self._translated("create the table"):
            try:
                await self._client.create_table()
            except ResourceExistsError:
                return

    async def get(self, partition_key: str, row_key: str) -> Row | None:
        try:
            properties, etag = await self._requests.get(self.name, partition_key, row_key)
        except ResourceNotFoundError as error:
            if getattr(error, "error_code", None) != "TableNotFound":
                return None
            self._refuse("read", error)
        except (AzureError, TimeoutError) as error:
            self._refuse("read", error)
        return Row(properties, etag, properties.pop("Timestamp", None))

    async def insert(self, properties: Mapping[str, Any]) -> str:
        """Add a row and return its etag. Raises ConflictError if there is one."""
        try:
            return await self._requests.insert(self.name, properties)
        except (AzureError, TimeoutError) as error:
            self._refuse("insert", error)

    async def replace(self, properties: Mapping[str, Any], etag: str) -> str:
        """Replace the row read with `etag` and return its new one. Raises ConflictError if it is another by now."""
        try:
            return await self._requests.replace(self.name, properties, etag)
        except (AzureError, TimeoutError) as error:
            self._refuse("replace", error)

    async def put(self, properties: Mapping[str, Any]) -> None:
        """Insert or replace, whatever is there."""
        try:
            await self._requests.put(self.name, properties)
        except (AzureError, TimeoutError) as error:
            self._refuse("upsert", error)

    async def delete(self, partition_key: str, row_key: str, etag: str | None = None) -> None:
        """Delete the row, if given an `etag` only the one read with it.

        None there is no error. Raises ConflictError if it is another by now.
        """
        try:
            await self._requests.delete(self.name, partition_key, row_key, etag)
        except ResourceNotFoundError:
            return
        except (AzureError, TimeoutError) as error:
            self._refuse("delete", error)

    async def delete_all(self, partition_key: str, row_keys: Sequence[str]) -> None:
        """Delete these rows, a hundred a request, whatever is in them. Raises StorageError if one is missing."""
        for first in range(0, len(row_keys), _MOST_IN_A_BATCH):
            batch = row_keys[first : first + _MOST_IN_A_BATCH]
            async with self._translated("delete"):
                await self._client.submit_transaction(
                    [("delete", {"PartitionKey": partition_key, "RowKey": row_key}) for row_key in batch]
                )

    async def partition(
        self,
        partition_key: str,
        select: list[str] | None = None,
        *,
        after: str = "",
        most: int | None = None,
        equal: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Row]:
        """The rows of a partition by row key, page by page, from behind the key `after` on; those with `equal` values.

        With the properties in `select`, or all; `most` rows in a page, or a thousand.
        """
        parameters = {"PartitionKey": partition_key, **(equal or {})}
        query = " and ".join(f"{name} eq @{name}" for name in parameters)
        if after:
            query, parameters = f"{query} and RowKey gt @after", parameters | {"after": after}
        pages = self._client.query_entities(
            query, parameters=parameters, select=select, results_per_page=most
        ).by_page()
        while True:
            async with self._translated("query"):
                page = await anext(pages, None)
                rows = [] if page is None else [self._row(entity) async for entity in page]
            if page is None:
                return
            for row in rows:
                yield row

    async def page(
        self,
        query: str,
        parameters: Mapping[str, str | int],
        *,
        most: int,
        token: str | None = None,
        select: list[str] | None = None,
    ) -> tuple[list[Row], str | None]:
        """What one request finds of the rows that match `query`, and the token with which the next one goes on.

        At most `most` rows, up to a thousand; perhaps fewer, even none, though there are more: the service stops at
        partitions and after five seconds. Raises BadContinuationError.
        """
        start: Any = None  # the SDK's types say a str, and it wants a dict
        if token is not None:
            start = dict(zip(_CONTINUATION, decode_token(token, 2), strict=True))
        asked: dict[str, Any] = dict(parameters)  # the SDK's types say strings, and it takes numbers, too
        found = self._client.query_entities(query, parameters=asked, select=select, results_per_page=most)
        pages: Any = found.by_page(continuation_token=start)
        async with self._translated("query"):
            try:
                rows = [self._row(entity) async for entity in await anext(pages)]
            except HttpResponseError as error:
                if token is not None and error.status_code == 400:
                    raise BadContinuationError from error
                raise
        following = pages.continuation_token
        if not following:
            return rows, None
        return rows, encode_token(*(following[part] for part in _CONTINUATION))

    @classmethod
    def _row(cls, entity: TableEntity) -> Row:
        return Row(entity, cls._etag(entity.metadata), entity.metadata.get("timestamp"))

    @staticmethod
    def _etag(metadata: Mapping[str, Any]) -> str:
        return str(metadata["etag"])

    @asynccontextmanager
    async def _translated(self, operation: str) -> AsyncIterator[None]:
        try:
            async with self._turns, asyncio.timeout(REQUEST_TIMEOUT):
                yield
        except (AzureError, TimeoutError) as error:
            self._refuse(operation, error)

    def _refuse(self, operation: str, error: AzureError | TimeoutError) -> NoReturn:
        """Raise what it means."""
        if isinstance(error, (ResourceExistsError, ResourceModifiedError)):
            raise ConflictError(f"table {self.name}: somebody else saved the row first") from error
        if isinstance(error, ResourceNotFoundError):
            if operation == "replace" and getattr(error, "error_code", None) != "TableNotFound":
                raise ConflictError(f"table {self.name}: somebody else deleted the row") from error
            raise self._storage_error(operation, "the table is missing; it is made when the app starts") from error
        if isinstance(error, TimeoutError):
            raise self._storage_error(operation, f"no answer within {REQUEST_TIMEOUT:g} s") from error
        response = getattr(error, "response", None)
        if getattr(response, "headers", {}).get("x-ms-error-code") == "EntityTooLarge":
            raise RowTooLargeError(f"table {self.name}: could not {operation}: the row is too large") from error
        raise storage_error(f"table {self.name}: could not {operation}", error) from error

    def _storage_error(self, operation: str, why: str) -> StorageError:
        return StorageError(f"table {self.name}: could not {operation}: {why}")
