"""A hub, what it did not take and how it is, in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import count

from shared.adapters.tables.service.continuation import decode_token, encode_token
from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export
from shared.domain.exports.recovery import Recovery
from shared.domain.exports.redrive_slices import RedrivePart
from shared.domain.exports.undelivered import BUCKETS, Undelivered, UndeliveredState
from shared.domain.messages.pointers import RetryPointer
from shared.domain.profile_key import bucket_of_key, partition_of, profile_key
from shared.errors import (
    ConflictError,
    SendError,
)
from shared.ports.exports import Acknowledgement
from shared.ports.health import DestinationTrouble, RedriveRequest
from shared.ports.undelivered import StoredUndelivered, UndeliveredCount, UndeliveredPage, UndeliveredTally


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

    async def part(self, destination_id: str, part: RedrivePart, after: str) -> AsyncIterator[StoredUndelivered]:
        for (owner, key), found in sorted(self.rows.items()):
            within = max(after, part.after) < key < part.before
            if owner == destination_id and within and bucket_of_key(key, BUCKETS) == part.bucket:
                yield StoredUndelivered(*found)

    async def page(
        self,
        destination_id: str | None,
        state: UndeliveredState | None,
        token: str | None,
        most: int,
        code: str | None = None,
    ) -> UndeliveredPage:
        await asyncio.sleep(0)
        after = None if token is None else tuple(decode_token(token, 2))
        found = [
            (key, row)
            for key, (row, _) in sorted(self.rows.items())
            if destination_id in {None, key[0]}
            and state in {None, row.state}
            and code in {None, row.code}
            and (after is None or key > after)
        ]
        following = encode_token(*found[most - 1][0]) if len(found) > most else None
        return UndeliveredPage([row for _, row in found[:most]], following)

    async def count(self, destination_id: str, most: int) -> UndeliveredCount:
        rows = [stored.row async for stored in self.of(destination_id)]
        tally = UndeliveredTally()
        for row in rows[:most]:
            tally.add(row.code, str(row.state), row.first_failed_at, row.last_failed_at)
        return tally.count(complete=len(rows) <= most)

    async def counts(self, most: int) -> dict[str, UndeliveredCount]:
        return {each: await self.count(each, most) for each in {owner for owner, _ in self.rows}}

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
        self.redrives: dict[str, RedriveRequest] = {}
        self.noted: dict[str, Recovery] = {}
        self._etags = count(1)

    async def load(self) -> dict[str, DestinationTrouble]:
        return dict(self.troubles)

    async def put(self, trouble: DestinationTrouble) -> None:
        await asyncio.sleep(0)
        self.troubles[trouble.destination_id] = replace(trouble, etag=f"etag-{next(self._etags)}")

    async def replace(self, trouble: DestinationTrouble) -> None:
        await asyncio.sleep(0)
        self._require_unchanged(trouble)
        await self.put(trouble)

    async def clear(self, trouble: DestinationTrouble) -> None:
        await asyncio.sleep(0)
        if trouble.destination_id in self.troubles:
            self._require_unchanged(trouble)
            del self.troubles[trouble.destination_id]

    async def requests(self) -> dict[str, RedriveRequest]:
        return dict(self.redrives)

    async def request(self, redrive: RedriveRequest) -> None:
        await asyncio.sleep(0)
        self.redrives[redrive.destination_id] = replace(redrive, etag=f"etag-{next(self._etags)}")

    async def fulfil(self, redrive: RedriveRequest) -> None:
        await asyncio.sleep(0)
        current = self.redrives.get(redrive.destination_id)
        if current is not None and current.etag != redrive.etag:
            raise ConflictError("it was asked for again")
        self.redrives.pop(redrive.destination_id, None)

    async def recoveries(self) -> dict[str, Recovery]:
        return dict(self.noted)

    async def note_recovery(self, recovery: Recovery) -> None:
        await asyncio.sleep(0)
        self.noted[recovery.destination_id] = recovery

    async def end_recovery(self, destination_id: str) -> None:
        await asyncio.sleep(0)
        self.noted.pop(destination_id, None)

    def _require_unchanged(self, trouble: DestinationTrouble) -> None:
        current = self.troubles.get(trouble.destination_id)
        if current is None or current.etag != trouble.etag:
            raise ConflictError("somebody else saved the row first")


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
        self.hubs: dict[str, tuple[str, ...]] = {}
        """The partitions of a destination's hub; another one has the single partition 0."""
        self.failing: dict[tuple[str, str], Callable[[str], SendError]] = {}
        """As `failures`, of one partition of a destination."""
        self.throttled = False
        """Whether hubs take each export only after they have asked for patience."""

    def enqueue(self, export: Export, *, more_follow: bool = False) -> "asyncio.Future[Acknowledgement]":
        acknowledged: asyncio.Future[Acknowledgement] = asyncio.get_running_loop().create_future()
        destination = export.destination
        partitions = self.partitions(destination)
        partition = partitions[partition_of(export.profile_id, len(partitions))]
        if failure := self.failures.get(destination.id) or self.failing.get((destination.id, partition)):
            acknowledged.set_exception(failure(destination.id))
        else:
            self.sent.append(export)
            acknowledged.set_result(Acknowledgement(partition, self.throttled))
        return acknowledged

    def flush(self) -> None:
        return

    def partitions(self, destination: Destination) -> tuple[str, ...]:
        return self.hubs.get(destination.id, ("0",))
