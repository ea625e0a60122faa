"""The files of uploads as blobs: the contract on Azurite, and what an address that was given out allows."""

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from azure.storage.blob import UserDelegationKey

from local.stack.local_stack import LocalStack
from shared.adapters.upload_files import BlobUploadFiles
from shared.errors import SettingError, StorageError
from shared.ports.uploads import WriteAccess
from shared.settings import Connection, Settings
from tests.contracts.upload_files import TOMORROW, Put, UploadFilesContract


@pytest.fixture
async def blobs(stack: LocalStack) -> AsyncIterator[BlobUploadFiles]:
    files = BlobUploadFiles(lambda: Connection("STORAGE", stack.storage_connection_string))
    yield files
    await files.close()


async def put_over_http(access: WriteAccess, body: bytes) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        (await client.put(access.url, headers=dict(access.headers), content=body)).raise_for_status()


class TestBlobUploadFiles(UploadFilesContract):
    @pytest.fixture
    def files(self, blobs: BlobUploadFiles) -> BlobUploadFiles:
        return blobs

    @pytest.fixture
    def put(self) -> Put:
        return put_over_http


@pytest.fixture
def upload_id() -> str:
    return f"upload-{uuid.uuid4().hex}"


async def test_an_address_is_for_writing_one_file_alone(blobs: BlobUploadFiles, upload_id: str) -> None:
    await blobs.write(f"{upload_id}-other", b"somebody else's")
    access = await blobs.grant(upload_id, TOMORROW)
    await put_over_http(access, b"profileId\nx\n")
    other, container = (access.url.replace(f"/{upload_id}?", f"/{name}?") for name in (f"{upload_id}-other", ""))
    refused = [
        ("GET", access.url, {}),
        ("HEAD", access.url, {}),
        ("DELETE", access.url, {}),
        ("GET", f"{access.url}&comp=metadata", {}),
        ("PUT", other, access.headers),
        ("GET", other, {}),
        ("GET", f"{container}&restype=container&comp=list", {}),
        ("PUT", access.url.replace("sp=cw", "sp=rcwd"), access.headers),
    ]
    async with httpx.AsyncClient(trust_env=False) as client:
        for method, url, headers in refused:
            answer = await client.request(method, url, headers=dict(headers), content=b"x" if method == "PUT" else None)
            assert answer.status_code == 403, (method, url)
            assert b"profileId" not in answer.content
    found = await blobs.find(upload_id)
    assert found is not None
    assert await blobs.read(upload_id, found.etag, 0, 100) == b"profileId\nx\n"


async def test_an_address_can_be_used_until_it_expires(blobs: BlobUploadFiles, upload_id: str) -> None:
    access = await blobs.grant(upload_id, int((time.time() - 1) * 1_000_000))
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        await put_over_http(access, b"x")


async def test_a_file_in_blocks_is_one_too(blobs: BlobUploadFiles, upload_id: str) -> None:
    """As tools for large files write them."""
    from azure.storage.blob.aio import BlobClient

    access = await blobs.grant(upload_id, TOMORROW)
    async with BlobClient.from_blob_url(access.url, max_single_put_size=1_000, max_block_size=1_000) as client:
        await client.upload_blob(b"0123456789" * 500, overwrite=True)
    found = await blobs.find(upload_id)
    assert found is not None
    assert found.size == 5_000
    assert await blobs.read(upload_id, found.etag, 995, 10) == b"5678901234"


def terms_of(access: WriteAccess) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(access.url).query).items()}


class Account(BlobUploadFiles):
    """An account in Azure as the SDK shows it, without asking it anything."""

    def __init__(self, connection: Connection, key: UserDelegationKey | None = None) -> None:
        super().__init__(lambda: connection)
        self._container_is_there = True
        self._key = key

    def _connected(self) -> Any:
        service = super()._connected()

        async def delegation_key(start: datetime, expiry: datetime) -> UserDelegationKey | None:
            assert start < datetime.now(UTC) < expiry
            return self._key

        service.get_user_delegation_key = delegation_key  # type: ignore[method-assign,assignment]
        return service


async def test_outside_the_local_stack_it_is_https_alone() -> None:
    connection_string = (
        "DefaultEndpointsProtocol=http;AccountName=relay;AccountKey=a2V5;EndpointSuffix=core.windows.net"
    )
    files = Account(Connection("RELAY_STORAGE", connection_string))
    access = await files.grant("u-1", TOMORROW)
    await files.close()
    terms = terms_of(access)
    assert access.url.startswith("https://relay.blob.core.windows.net/audience-uploads/u-1?")
    assert (terms["spr"], terms["sp"], terms["sr"], terms["se"]) == ("https", "cw", "b", "2100-01-01T00:00:00Z")


async def test_an_identity_signs_with_a_user_delegation_key() -> None:
    key = UserDelegationKey()  # type: ignore[no-untyped-call]
    key.signed_oid, key.signed_tid, key.value = "object", "tenant", "a2V5"
    key.signed_start, key.signed_expiry = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    key.signed_service, key.signed_version = "b", "2026-01-01"
    files = Account(Connection("RELAY_STORAGE", endpoint="https://relay.blob.core.windows.net"), key)
    access = await files.grant("u-1", TOMORROW)
    await files.close()
    terms = terms_of(access)
    assert access.url.startswith("https://relay.blob.core.windows.net/audience-uploads/u-1?")
    assert (terms["skoid"], terms["sktid"], terms["spr"], terms["sp"], terms["sr"]) == (
        "object",
        "tenant",
        "https",
        "cw",
        "b",
    )


async def test_a_connection_that_cannot_sign_is_told_what_would_do() -> None:
    connection_string = "BlobEndpoint=https://relay.blob.core.windows.net;SharedAccessSignature=sv=2025&sig=secret"
    files = Account(Connection("RELAY_STORAGE", connection_string))
    with pytest.raises(SettingError, match="expected a connection string with the account's key") as error:
        await files.grant("u-1", TOMORROW)
    await files.close()
    assert "secret" not in str(error.value)


async def test_a_missing_setting_is_told_by_the_first_request_and_not_before() -> None:
    files = BlobUploadFiles(Settings.from_environment({"RELAY_STORAGE__tableServiceUri": "https://relay"}).blobs)
    with pytest.raises(SettingError, match="RELAY_STORAGE__blobServiceUri"):
        await files.find("u-1")
    await files.close()


async def test_storage_that_does_not_answer_is_an_error_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "sleep", _no_sleep)
    connection_string = "AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:1/a"
    files = BlobUploadFiles(lambda: Connection("STORAGE", connection_string))
    for asked in (files.grant("u", TOMORROW), files.find("u"), files.delete("u"), files.read("u", "e", 0, 1)):
        with pytest.raises(StorageError, match=r"container audience-uploads: could not .*127\.0\.0\.1"):
            await asked
    await files.close()


async def _no_sleep(_: float, /) -> None:
    return


def test_workers_that_see_no_upload_do_not_import_the_sdk_for_blobs() -> None:
    code = "import sys, function_app, shared.bootstrap; sys.exit('azure.storage.blob' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
