"""Backfills, their slices and files of uploads, in memory."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count

from shared.domain.messages.pointers import SlicePointer
from shared.errors import (
    ConflictError,
    UploadFileChangedError,
)
from shared.ports.backfills import StoredBackfill, StoredSlice
from shared.ports.uploads import StoredFile, WriteAccess


class MemoryBackfills:
    def __init__(self) -> None:
        self.rows: dict[str, StoredBackfill] = {}
        self.parts: dict[tuple[str, int], StoredSlice] = {}
        self._etags = count(1)

    async def load(self, backfill_id: str) -> StoredBackfill | None:
        await asyncio.sleep(0)
        return replace(self.rows[backfill_id]) if backfill_id in self.rows else None

    async def save(self, stored: StoredBackfill) -> None:
        await asyncio.sleep(0)
        self._require_unchanged(self.rows.get(stored.backfill.id), stored.etag)
        stored.etag = f"etag-{next(self._etags)}"
        self.rows[stored.backfill.id] = replace(stored)

    async def all(self) -> AsyncIterator[StoredBackfill]:
        for stored in sorted(self.rows.values(), key=lambda each: each.backfill.requested_at):
            yield replace(stored)

    async def slices(self, backfill_id: str) -> list[StoredSlice]:
        await asyncio.sleep(0)
        return [replace(part) for (owner, _), part in sorted(self.parts.items()) if owner == backfill_id]

    async def load_slice(self, backfill_id: str, bucket: int) -> StoredSlice | None:
        await asyncio.sleep(0)
        found = self.parts.get((backfill_id, bucket))
        return replace(found) if found else None

    async def save_slice(self, stored: StoredSlice) -> None:
        await asyncio.sleep(0)
        key = stored.slice.backfill_id, stored.slice.bucket
        self._require_unchanged(self.parts.get(key), stored.etag)
        stored.etag = f"etag-{next(self._etags)}"
        self.parts[key] = replace(stored)

    async def delete(self, backfill_id: str) -> None:
        self.rows.pop(backfill_id, None)
        self.parts = {key: part for key, part in self.parts.items() if key[0] != backfill_id}

    @staticmethod
    def _require_unchanged(current: StoredBackfill | StoredSlice | None, etag: str | None) -> None:
        if etag != (current.etag if current else None):
            raise ConflictError("somebody else saved the row first")


class MemorySliceQueue:
    def __init__(self) -> None:
        self.waiting: list[SlicePointer] = []

    async def put(self, pointer: SlicePointer) -> None:
        self.waiting.append(pointer)


class MemoryUploadFiles:
    """Whoever has a `url` that was granted can write to it with `put`, as a client does over HTTP."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, str]] = {}
        self._granted: dict[str, str] = {}
        self._etags = count(1)

    async def grant(self, upload_id: str, until: int) -> WriteAccess:
        url = f"memory://{upload_id}"
        self._granted[url] = upload_id
        return WriteAccess(url, {"x-ms-blob-type": "BlockBlob"}, until)

    async def put(self, url: str, body: bytes) -> None:
        await self.write(self._granted[url], body)

    async def write(self, upload_id: str, body: bytes) -> None:
        await asyncio.sleep(0)
        self.files[upload_id] = (body, f"etag-{next(self._etags)}")

    async def find(self, upload_id: str) -> StoredFile | None:
        await asyncio.sleep(0)
        found = self.files.get(upload_id)
        return StoredFile(len(found[0]), found[1]) if found else None

    async def read(self, upload_id: str, etag: str, start: int, length: int) -> bytes:
        await asyncio.sleep(0)
        body, current = self.files.get(upload_id, (b"", ""))
        if etag != current:
            raise UploadFileChangedError
        return body[start : start + length]

    async def delete(self, upload_id: str) -> None:
        await asyncio.sleep(0)
        self.files.pop(upload_id, None)
