"""The ports in memory. They pass the same contracts as the real adapters (`tests/contracts`)."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from itertools import count

from shared.domain.configuration import Configuration
from shared.domain.export import Export
from shared.domain.instants import SECOND
from shared.domain.profile_key import profile_key
from shared.domain.state import ProfileState
from shared.domain.undelivered import Undelivered
from shared.errors import ConflictError, MessageTooLargeError, ProfileTooLargeError, SendError
from shared.services.ports import (
    DestinationTrouble,
    QuarantinedItem,
    RetryPointer,
    StoredConfiguration,
    StoredProfile,
    StoredQuarantinedItem,
    StoredUndelivered,
)


class ManualClock:
    """A clock that stands still until told otherwise; it also sleeps, which moves it."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


class MemoryProfiles:
    """`before_save` runs ahead of each save, as somebody else's request might."""

    def __init__(self, size_limit: int = 1_000_000) -> None:
        self.rows: dict[str, tuple[str, str]] = {}
        self.saves: list[ProfileState] = []
        self.before_save: Callable[[], None] | None = None
        self._size_limit = size_limit
        self._etags = count(1)

    async def load(self, profile_id: str) -> StoredProfile:
        await asyncio.sleep(0)
        if profile_id not in self.rows:
            return StoredProfile(ProfileState(profile_id), None)
        document, etag = self.rows[profile_id]
        return StoredProfile(ProfileState.from_document(json.loads(document)), etag)

    async def save(self, profile: StoredProfile) -> None:
        if self.before_save is not None:
            self.before_save()
        await asyncio.sleep(0)
        document = json.dumps(profile.state.to_document())
        if len(document) > self._size_limit:
            raise ProfileTooLargeError(len(document))
        current = self.rows.get(profile.state.profile_id)
        if profile.etag != (current[1] if current else None):
            raise ConflictError("somebody else saved the profile first")
        profile.etag = f"etag-{next(self._etags)}"
        self.rows[profile.state.profile_id] = (document, profile.etag)
        self.saves.append(ProfileState.from_document(json.loads(document)))


class MemoryConfiguration:
    def __init__(self, configuration: Configuration | None = None) -> None:
        self.loads = 0
        self._etag = 0
        self._document: str | None = None
        if configuration is not None:
            self.put(configuration)

    def put(self, configuration: Configuration) -> None:
        """What somebody else's save does."""
        self._document = configuration.model_dump_json(by_alias=True)
        self._etag += 1

    async def load(self) -> StoredConfiguration:
        self.loads += 1
        if self._document is None:
            return StoredConfiguration(Configuration(), None)
        return StoredConfiguration(Configuration.model_validate_json(self._document), str(self._etag))

    async def save(self, configuration: Configuration, etag: str | None) -> None:
        if etag != (str(self._etag) if self._document else None):
            raise ConflictError("somebody else saved the configuration first")
        self.put(configuration)


class MemoryQuarantine:
    def __init__(self) -> None:
        self.items: dict[tuple[str, int | None], QuarantinedItem] = {}

    async def put(self, item: QuarantinedItem) -> None:
        self.items[item.message_id, item.item] = item

    async def get(self, row_id: str) -> StoredQuarantinedItem | None:
        await asyncio.sleep(0)
        return self._stored().get(row_id)

    async def delete(self, row_id: str) -> None:
        await asyncio.sleep(0)
        if found := self._stored().get(row_id):
            del self.items[found.message_id, found.item]

    async def newest_first(self) -> AsyncIterator[StoredQuarantinedItem]:
        for _, stored in sorted(self._stored().items(), reverse=True):
            yield stored

    def _stored(self) -> dict[str, StoredQuarantinedItem]:
        """All items, by an id that sorts by the time of receipt."""
        stored = {}
        for item in self.items.values():
            row_id = f"{item.received_at // SECOND:012}-{item.message_id}-{item.item}"
            key = None if item.profile_id is None else profile_key(item.profile_id)
            received_at = item.received_at // SECOND * SECOND
            stored[row_id] = StoredQuarantinedItem(
                row_id, item.message_id, item.item, received_at, item.reason, item.raw, key
            )
        return stored


class MemoryChangesQueue:
    """Refuses bodies longer than `limit`."""

    def __init__(self, limit: int = 65_536) -> None:
        self.bodies: list[bytes] = []
        self._limit = limit

    async def put(self, body: bytes) -> None:
        if len(body) > self._limit:
            raise MessageTooLargeError("too large for a queue message")
        self.bodies.append(body)


class MemoryUndelivered:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[Undelivered, str]] = {}
        self.writes = 0
        self._etags = count(1)

    async def load(self, destination_id: str, profile_key: str) -> StoredUndelivered | None:
        await asyncio.sleep(0)
        found = self.rows.get((destination_id, profile_key))
        return StoredUndelivered(*found) if found else None

    async def save(self, undelivered: StoredUndelivered) -> None:
        await asyncio.sleep(0)
        key = self._key(undelivered)
        self._require_unchanged(key, undelivered.etag)
        undelivered.etag = f"etag-{next(self._etags)}"
        self.rows[key] = (undelivered.row, undelivered.etag)
        self.writes += 1

    async def delete(self, undelivered: StoredUndelivered) -> None:
        await asyncio.sleep(0)
        key = self._key(undelivered)
        if key in self.rows:
            self._require_unchanged(key, undelivered.etag)
            del self.rows[key]

    async def of(self, destination_id: str) -> AsyncIterator[StoredUndelivered]:
        for (owner, _), found in list(self.rows.items()):
            if owner == destination_id:
                yield StoredUndelivered(*found)

    @staticmethod
    def _key(undelivered: StoredUndelivered) -> tuple[str, str]:
        return undelivered.row.destination_id, profile_key(undelivered.row.profile_id)

    def _require_unchanged(self, key: tuple[str, str], etag: str | None) -> None:
        found = self.rows.get(key)
        if etag != (found[1] if found else None):
            raise ConflictError("somebody else saved the row first")


class MemoryHealth:
    def __init__(self) -> None:
        self.troubles: dict[str, DestinationTrouble] = {}

    async def load(self) -> dict[str, DestinationTrouble]:
        return dict(self.troubles)

    async def put(self, trouble: DestinationTrouble) -> None:
        await asyncio.sleep(0)
        self.troubles[trouble.destination_id] = trouble

    async def clear(self, destination_id: str) -> None:
        self.troubles.pop(destination_id, None)


class MemoryRetryQueue:
    """`waiting` are (pointer, delay), in the order put."""

    def __init__(self) -> None:
        self.waiting: list[tuple[RetryPointer, float]] = []

    async def put(self, pointer: RetryPointer, delay: float) -> None:
        self.waiting.append((pointer, delay))


class MemorySender:
    """Acknowledges every export, but for those to a destination in `failures`, which fail as it says."""

    def __init__(self) -> None:
        self.sent: list[Export] = []
        self.failures: dict[str, Callable[[str], SendError]] = {}

    def enqueue(self, export: Export) -> "asyncio.Future[None]":
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if failure := self.failures.get(export.destination.id):
            acknowledged.set_exception(failure(export.destination.id))
        else:
            self.sent.append(export)
            acknowledged.set_result(None)
        return acknowledged
