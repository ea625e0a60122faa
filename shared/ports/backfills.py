"""What backfills need of the outside."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from shared.domain.backfills.backfill import Backfill, Slice
from shared.domain.messages.pointers import SlicePointer


@dataclass(slots=True)
class StoredBackfill:
    """As read or saved; `etag` is None where there is no row yet."""

    backfill: Backfill
    etag: str | None


@dataclass(slots=True)
class StoredSlice:
    """As read or saved; `etag` is None where there is no row yet."""

    slice: Slice
    etag: str | None


class BackfillStore(Protocol):
    async def load(self, backfill_id: str) -> StoredBackfill | None:
        """Raises StorageError."""

    async def save(self, stored: StoredBackfill) -> None:
        """Save the row if it is still the one read, and take its new etag. Raises ConflictError if it is not."""

    def all(self) -> AsyncIterator[StoredBackfill]:
        """Every backfill there is, the oldest first. Raises StorageError."""

    async def slices(self, backfill_id: str) -> list[StoredSlice]:
        """Those of a backfill, by bucket. Raises StorageError."""

    async def load_slice(self, backfill_id: str, bucket: int) -> StoredSlice | None:
        """Raises StorageError."""

    async def save_slice(self, stored: StoredSlice) -> None:
        """Save the row if it is still the one read, and take its new etag. Raises ConflictError if it is not."""

    async def delete(self, backfill_id: str) -> None:
        """Forget a backfill and its slices; none is no error. Raises StorageError."""


class SliceQueue(Protocol):
    async def put(self, pointer: SlicePointer) -> None:
        """Hand the slice to whoever is free. Raises StorageError."""
