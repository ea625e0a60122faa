"""What backfills need of the outside, besides what all services do (`shared.services.ports`)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from shared.domain.backfill import Backfill, Slice
from shared.domain.memberships import AudienceKey


@dataclass(frozen=True, slots=True)
class Member:
    """An index row: a profile that may be in an audience. `written_at` (microseconds) is the storage's time."""

    key: str
    etag: str
    written_at: int


class MemberIndex(Protocol):
    """Which profiles have a membership in an audience, whatever its status.

    A profile is listed before its membership is saved, so the index may list more than there are, never fewer.
    """

    async def add(self, audience: AudienceKey, key: str) -> None:
        """List the profile, again if it is listed already: then its row is a new one. Raises StorageError."""

    async def get(self, audience: AudienceKey, key: str) -> Member | None:
        """The profile's row, if it is listed. Raises StorageError."""

    async def page(self, audience: AudienceKey, bucket: int, after: str, limit: int) -> list[Member]:
        """At most `limit` rows of a bucket by key, from behind `after` on; fewer only at the end. Raises StorageError.

        A profile's bucket is that of its key among `INDEX_BUCKETS`, the same in every audience.
        """

    async def delete(self, audience: AudienceKey, member: Member) -> None:
        """Delete the row if it is still the one read; none is no error. Raises ConflictError if it is another."""


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


@dataclass(frozen=True, slots=True)
class SlicePointer:
    """Says which slice to work on; one whose `sequence` is not the slice's is outdated."""

    backfill_id: str
    bucket: int
    sequence: int


class SliceQueue(Protocol):
    async def put(self, pointer: SlicePointer) -> None:
        """Hand the slice to whoever is free. Raises StorageError."""
