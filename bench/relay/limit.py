"""The limit: the storage and hub operations of the app on the same rows, with nothing decided in between.

Each profile's row is read and replaced with what was read, as often as the app does both; index rows are added; then
as many events of the same size go out in as many batches, one at a time to each partition. Who does it is a storage
client: the SDK's, tuned (`SdkStorage`), or aiohttp with addresses that are signed beforehand (`BareStorage`).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from azure.eventhub.aio import EventHubProducerClient

from bench.harness.people import DESTINATION, member_id
from bench.relay.events import event
from shared.domain.profile_key import bucket_of_key, profile_key
from shared.settings import PROFILE_BUCKETS

HUB = "limit"
AT_A_TIME = 64


@dataclass(frozen=True, kw_only=True)
class Operations:
    """What the app asked for in a batch; `body_bytes` are those of an event's body."""

    reads: int
    saves: int
    index_rows: int
    sends: int
    events: int
    body_bytes: int


class Storage(Protocol):
    """Row keys are (partition, row)."""

    async def read(self, key: tuple[str, str]) -> tuple[Any, str]:
        """The row and its ETag."""

    async def replace(self, key: tuple[str, str], row: Any, etag: str) -> str:
        """Replace what was read with `etag` by `row`; the new ETag."""

    async def put_index_row(self, key: tuple[str, str]) -> None: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class Limit:
    def __init__(self, environment: Mapping[str, str], storage: Storage) -> None:
        self._storage = storage
        self._hub = EventHubProducerClient.from_connection_string(environment["EVENTHUBS"], eventhub_name=HUB)
        self._partitions: list[str] = []
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._runs = 0

    async def start(self) -> None:
        await self._storage.start()
        self._partitions = await self._hub.get_partition_ids()

    async def close(self) -> None:
        await self._hub.close()
        await self._storage.close()

    async def run(self, profiles: range, operations: Operations) -> None:
        self._runs += 1
        sending = _Sending(self._hub, self._partitions, operations)
        keys = [_key_of(number) for number in profiles]
        work = [
            self._read_and_save(
                key,
                len(range(place, operations.reads, len(keys))),
                len(range(place, operations.saves, len(keys))),
                sending,
            )
            for place, key in enumerate(keys)
        ]
        work += [self._put_index_row(keys[place % len(keys)]) for place in range(operations.index_rows)]
        await asyncio.gather(*work)
        await sending.finish()

    async def _read_and_save(self, key: tuple[str, str], reads: int, saves: int, sending: "_Sending") -> None:
        row, etag = None, ""
        for turn in range(max(reads, saves)):
            if turn < reads:
                async with self._turns:
                    row, etag = await self._storage.read(key)
            if turn < saves:
                async with self._turns:
                    etag = await self._storage.replace(key, row, etag)
                sending.saved_one()

    async def _put_index_row(self, key: tuple[str, str]) -> None:
        async with self._turns:
            await self._storage.put_index_row((f"limit-{key[1][:1]}", f"{key[1]}-{self._runs}"))


class _Sending:
    """Events go out while rows are still being saved, in batches of equal size."""

    def __init__(self, hub: EventHubProducerClient, partitions: list[str], operations: Operations) -> None:
        self._hub = hub
        self._lanes = {partition: asyncio.Lock() for partition in partitions}
        self._operations = operations
        self._body = b"x" * operations.body_bytes
        self._saved = 0
        self._sends: list[asyncio.Task[None]] = []

    def saved_one(self) -> None:
        self._saved += 1
        while len(self._sends) < self._operations.sends * self._saved // self._operations.saves:
            self._send_next()

    async def finish(self) -> None:
        while len(self._sends) < self._operations.sends:
            self._send_next()
        await asyncio.gather(*self._sends)

    def _send_next(self) -> None:
        number = len(self._sends)
        events = len(range(number, self._operations.events, self._operations.sends))
        partition = list(self._lanes)[number % len(self._lanes)]
        self._sends.append(asyncio.create_task(self._send(partition, events)))

    async def _send(self, partition: str, events: int) -> None:
        async with self._lanes[partition]:
            batch = await self._hub.create_batch(partition_id=partition)
            for number in range(events):
                batch.add(event(self._body, f"{number:032}", _PROPERTIES))
            await self._hub.send_batch(batch)


_PROPERTIES: Mapping[str, str | int] = {
    "reason": "attribute",
    "destinationId": DESTINATION,
    "profileId": member_id(0),
    "profileVersion": 2**50,
    "configRevision": 1,
    "occurredAt": "2026-01-11T21:24:39.000000Z",
}


def _key_of(number: int) -> tuple[str, str]:
    """Where the app's row of the profile is."""
    key = profile_key(member_id(number))
    return f"{bucket_of_key(key, PROFILE_BUCKETS):04}", key
