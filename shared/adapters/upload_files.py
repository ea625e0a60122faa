"""The container `audience-uploads`: a blob for the file of each upload.

The SDK for blobs is imported by the first request: most workers never see an upload.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from shared.adapters.blobs import connect
from shared.adapters.storage_reasons import storage_error
from shared.domain.instants import SECOND
from shared.errors import SettingError, UploadFileChangedError
from shared.ports.uploads import StoredFile, WriteAccess
from shared.settings import Connection

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobClient, BlobServiceClient

CONTAINER = "audience-uploads"
_DEVELOPMENT_ACCOUNT = "devstoreaccount1"
_CLOCKS_DIFFER = timedelta(minutes=5)
_CONTENT_TYPE = "text/csv"


class BlobUploadFiles:
    """`connection` is asked for by the first request, and may raise SettingError then."""

    def __init__(self, connection: Callable[[], Connection]) -> None:
        self._connection = connection
        self._service: BlobServiceClient | None = None
        self._container_is_there = False

    async def close(self) -> None:
        if self._service is not None:
            await self._service.close()

    async def grant(self, upload_id: str, until: int) -> WriteAccess:
        from azure.storage.blob import BlobSasPermissions, generate_blob_sas

        await self._create_container()
        service = self._connected()
        blob = service.get_blob_client(CONTAINER, upload_id)
        account = str(service.account_name)
        local = account == _DEVELOPMENT_ACCOUNT
        expiry = datetime.fromtimestamp(until // SECOND, UTC)
        async with self._translated("sign an address to write to"):
            signature = generate_blob_sas(
                account,
                CONTAINER,
                upload_id,
                **await self._signing_key(service, expiry),
                permission=BlobSasPermissions(create=True, write=True),
                expiry=expiry,
                protocol="https,http" if local else "https",
            )
        url = blob.url if local else f"https://{blob.url.partition('://')[2]}"
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": _CONTENT_TYPE}
        return WriteAccess(f"{url}?{signature}", headers, until)

    @staticmethod
    async def _signing_key(service: "BlobServiceClient", expiry: datetime) -> dict[str, Any]:
        """The account's key where the connection has it; an identity is given one by the service."""
        if key := getattr(service.credential, "account_key", None):
            return {"account_key": key}
        if not hasattr(service.credential, "get_token"):
            raise SettingError(
                "app setting RELAY_STORAGE: expected a connection string with the account's key, or "
                "RELAY_STORAGE__blobServiceUri: without either, no address to write an upload to can be signed"
            )
        start = datetime.now(UTC) - _CLOCKS_DIFFER
        return {"user_delegation_key": await service.get_user_delegation_key(start, expiry)}

    async def write(self, upload_id: str, body: bytes) -> None:
        from azure.storage.blob import ContentSettings

        await self._create_container()
        async with self._translated("write a file"):
            settings = ContentSettings(content_type=_CONTENT_TYPE)
            await self._blob(upload_id).upload_blob(body, overwrite=True, content_settings=settings)

    async def find(self, upload_id: str) -> StoredFile | None:
        async with self._translated("look for a file"):
            try:
                properties = await self._blob(upload_id).get_blob_properties()
            except ResourceNotFoundError:
                return None
            return StoredFile(properties.size, properties.etag)

    async def read(self, upload_id: str, etag: str, start: int, length: int) -> bytes:
        async with self._translated("read a file"):
            try:
                download = await self._blob(upload_id).download_blob(
                    start, length, etag=etag, match_condition=MatchConditions.IfNotModified
                )
                return bytes(await download.readall())
            except (ResourceNotFoundError, ResourceModifiedError) as error:
                raise UploadFileChangedError from error
            except HttpResponseError as error:
                if error.status_code == 416:  # it ends before `start`
                    return b""
                raise

    async def delete(self, upload_id: str) -> None:
        async with self._translated("delete a file"):
            try:
                await self._blob(upload_id).delete_blob(delete_snapshots="include")
            except ResourceNotFoundError:
                return

    async def _create_container(self) -> None:
        if self._container_is_there:
            return
        async with self._translated("create the container"):
            with suppress(ResourceExistsError):
                await self._connected().create_container(CONTAINER)
        self._container_is_there = True

    def _blob(self, upload_id: str) -> "BlobClient":
        return self._connected().get_blob_client(CONTAINER, upload_id)

    def _connected(self) -> "BlobServiceClient":
        if self._service is None:
            self._service = connect(self._connection())
        return self._service

    @asynccontextmanager
    async def _translated(self, operation: str) -> AsyncIterator[None]:
        try:
            yield
        except AzureError as error:
            raise storage_error(f"container {CONTAINER}: could not {operation}", error) from error
