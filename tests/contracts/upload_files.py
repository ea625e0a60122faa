"""The contract of UploadFiles."""

import uuid
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from shared.errors import UploadFileChangedError
from shared.ports.uploads import UploadFiles, WriteAccess

Put: TypeAlias = Callable[[WriteAccess, bytes], Awaitable[None]]
TOMORROW = 4_102_444_800_000_000  # far enough for any clock: 2100-01-01


class UploadFilesContract:
    """`put` writes as a client does that was granted access; `upload_id` is of no file yet."""

    @pytest.fixture
    def files(self) -> UploadFiles:
        raise NotImplementedError

    @pytest.fixture
    def put(self) -> Put:
        raise NotImplementedError

    @pytest.fixture
    def upload_id(self) -> str:
        return f"upload-{uuid.uuid4().hex}"

    async def test_what_is_written_is_found_and_read(self, files: UploadFiles, upload_id: str) -> None:
        await files.write(upload_id, b"profileId\nx\n")
        found = await files.find(upload_id)
        assert found is not None
        assert found.size == 12
        assert await files.read(upload_id, found.etag, 0, 12) == b"profileId\nx\n"
        assert await files.read(upload_id, found.etag, 10, 1) == b"x"
        assert await files.read(upload_id, found.etag, 10, 1_000) == b"x\n"
        assert await files.read(upload_id, found.etag, 12, 1) == b""

    async def test_where_there_is_no_file(self, files: UploadFiles, upload_id: str) -> None:
        assert await files.find(upload_id) is None
        await files.delete(upload_id)
        with pytest.raises(UploadFileChangedError, match="was deleted or written again"):
            await files.read(upload_id, '"0x8DC0000000000"', 0, 1)

    async def test_a_client_writes_where_it_was_granted_access(
        self, files: UploadFiles, put: Put, upload_id: str
    ) -> None:
        access = await files.grant(upload_id, TOMORROW)
        assert access.expires_at == TOMORROW
        assert "sig=" not in repr(access)
        await put(access, b"first")
        await put(access, b"second")
        found = await files.find(upload_id)
        assert found is not None
        assert await files.read(upload_id, found.etag, 0, 6) == b"second"

    async def test_a_file_that_was_written_again_is_another_one(self, files: UploadFiles, upload_id: str) -> None:
        await files.write(upload_id, b"one")
        first = await files.find(upload_id)
        assert first is not None
        await files.write(upload_id, b"two")
        with pytest.raises(UploadFileChangedError, match="was deleted or written again"):
            await files.read(upload_id, first.etag, 0, 3)

    async def test_an_empty_file(self, files: UploadFiles, upload_id: str) -> None:
        await files.write(upload_id, b"")
        found = await files.find(upload_id)
        assert found is not None
        assert found.size == 0

    async def test_what_is_deleted_is_gone(self, files: UploadFiles, upload_id: str) -> None:
        await files.write(upload_id, b"x")
        await files.delete(upload_id)
        await files.delete(upload_id)
        assert await files.find(upload_id) is None
