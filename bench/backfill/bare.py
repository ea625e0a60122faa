"""What a backfill cannot do without, done with nothing else: the bare reads of its members, and sends of such events.

The reads are those of a backfill before: the same index pages, then the same profiles, through the same clients, as
many at a time; what comes is dropped. The sends are as many events of an export's size, as many in a batch.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from azure.eventhub import EventData

from bench.harness.storage_counts import INDEX, IndexPage
from shared.adapters.event_hubs.connections import connect
from shared.adapters.tables import table
from shared.adapters.tables.table import Table
from shared.domain.profile_key import bucket_of_key
from shared.services.backfills.members import MEMBERS_A_STEP
from shared.services.backfills.slices import STEPS_AT_A_TIME
from shared.settings import PROFILE_BUCKETS, Settings

HUB = "bare"
_COLUMNS = ["RowKey", "Timestamp"]
_LAST = "~"  # behind all keys


class Bare:
    """`start` comes first."""

    def __init__(self, environment: Mapping[str, str], body_bytes: int) -> None:
        settings = Settings.from_environment(environment)
        self._account = table.Account(settings.tables())
        self._profiles = Table(self._account, "Profiles")
        self._index = Table(self._account, INDEX)
        self._hub = connect(settings.event_hubs("EVENTHUBS"), HUB)
        self._partitions: list[str] = []
        self._body = b"x" * body_bytes

    async def start(self) -> None:
        """Open all connections."""
        self._partitions = await self._hub.get_partition_ids()
        await self._send(MEMBERS_A_STEP)

    async def close(self) -> None:
        await self._hub.close()
        await self._account.close()

    async def measure(self, pages: Iterable[IndexPage]) -> dict[str, Any]:
        """Seconds for the reads of all members on `pages`, and for as many sends."""
        began = time.perf_counter()
        members = await self._read(pages)
        read = time.perf_counter()
        await self._send(members)
        return {"members": members, "readSeconds": read - began, "sendSeconds": time.perf_counter() - read}

    async def _read(self, pages: Iterable[IndexPage]) -> int:
        by_partition: defaultdict[str, list[IndexPage]] = defaultdict(list)
        for page in pages:
            by_partition[page.partition].append(page)
        turns = asyncio.Semaphore(STEPS_AT_A_TIME)
        return sum(await asyncio.gather(*(self._read_slice(each, turns) for each in by_partition.values())))

    async def _read_slice(self, pages: list[IndexPage], turns: asyncio.Semaphore) -> int:
        members = 0
        for page, following in pairwise([*pages, IndexPage("", _LAST, 0)]):
            keys: list[str] | None = None
            while keys or keys is None:
                async with turns:
                    if keys is None:
                        # What was behind the next page's begin had not been dealt with when the slice was passed on.
                        keys = [key for key in await self._read_page(page) if key <= following.after]
                    step, keys = keys[:MEMBERS_A_STEP], keys[MEMBERS_A_STEP:]
                    await asyncio.gather(
                        *(self._profiles.get(f"{bucket_of_key(key, PROFILE_BUCKETS):04}", key) for key in step)
                    )
                    members += len(step)
        return members

    async def _read_page(self, page: IndexPage) -> list[str]:
        keys: list[str] = []
        rows = self._index.partition(page.partition, _COLUMNS, after=page.after, most=page.limit)
        async for row in rows:
            keys.append(str(row.properties["RowKey"]))
            if len(keys) == page.limit:
                break
        return keys

    async def _send(self, events: int) -> None:
        steps = iter(range(0, events, MEMBERS_A_STEP))
        lanes = len(self._partitions)

        async def send_steps() -> None:
            for first in steps:
                count = min(MEMBERS_A_STEP, events - first)
                shares = [len(range(lane, count, lanes)) for lane in range(lanes)]
                sends = zip(self._partitions, shares, strict=True)
                await asyncio.gather(*(self._send_batch(partition, share) for partition, share in sends))

        await asyncio.gather(*(send_steps() for _ in range(STEPS_AT_A_TIME)))

    async def _send_batch(self, partition: str, events: int) -> None:
        batch = await self._hub.create_batch(partition_id=partition)
        for _ in range(events):
            batch.add(EventData(self._body))
        await self._hub.send_batch(batch)
