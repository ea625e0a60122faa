"""One instance of the app in this process: its real services, and of the functions host what a backfill needs."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from itertools import count
from typing import Any

from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from bench.harness.people import DESTINATION, MEMBERS
from bench.harness.storage_counts import Counts
from shared.adapters.queues import queue as queues
from shared.adapters.queues.pointers import SLICES
from shared.bootstrap import Relay, build, clock
from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile_key import INDEX_BUCKETS
from shared.ports.backfills import StoredBackfill
from shared.services.backfills.slices import SliceOutcome
from shared.settings import Settings

_BATCH_SIZE = 16  # as in host.json
_LEASE_SECONDS = 600
_POLL_SECONDS = 0.1


def requested_backfill(backfill_id: str, audience: AudienceKey = MEMBERS) -> Backfill:
    """As if the configuration had asked for it a while ago: it is due now."""
    return Backfill(
        id=backfill_id,
        kind=BackfillKind.BACKFILL,
        state=BackfillState.WAITING,
        requested_at=clock(),
        due_at=clock(),
        destination_id=DESTINATION,
        audiences=((audience, None),),
    )


class Instance:
    """Does one backfill after the other; the connections stay."""

    def __init__(self, relay: Relay, queue: QueueClient, counts: Counts) -> None:
        self._relay = relay
        self._queue = queue
        self._counts = counts
        self._numbers = count(1)

    @classmethod
    async def start(cls, environment: Mapping[str, str], counts: Counts) -> "Instance":
        settings = Settings.from_environment(environment)
        return cls(await build(environment), queues.connect(settings.queues(), SLICES.name), counts)

    async def close(self) -> None:
        await self._queue.close()
        await self._relay.close()

    async def backfill(self, audience: AudienceKey) -> dict[str, Any]:
        """Backfill all members of `audience`: how long it took from its start to the end of its last slice, in seconds
        and in those of this process's CPU, and what it asked of the storage.
        """
        stored = StoredBackfill(requested_backfill(f"bench-{next(self._numbers)}", audience), None)
        await self._relay.backfills.save(stored)
        self._counts.clear()
        began, cpu = time.perf_counter(), time.process_time()
        await self._relay.services.plan_backfills.run()
        await self._work_all_slices(stored.backfill.id)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
        counted = self._counts.to_json()
        await self._relay.services.plan_backfills.run()
        progress = (await self._relay.services.backfill_statuses.of(stored.backfill)).progress
        await self._relay.backfills.delete(stored.backfill.id)
        return {
            "seconds": seconds,
            "cpuSeconds": cpu_seconds,
            "members": progress.members,
            "exported": progress.exported,
            **counted,
        }

    async def _work_all_slices(self, backfill_id: str) -> None:
        """What the host does: hand out pointers until every slice is done."""
        outcomes: Counter[SliceOutcome] = Counter()
        async with asyncio.TaskGroup() as working:

            async def work(message: QueueMessage) -> None:
                pointer = SLICES.decode(str(message.content).encode())
                if pointer.backfill_id != backfill_id:
                    raise RuntimeError(f"backfill {pointer.backfill_id} runs, too: nothing can be measured")
                outcomes[await self._relay.services.work_slices.work(pointer)] += 1
                await self._queue.delete_message(message)

            while outcomes[SliceOutcome.DONE] < INDEX_BUCKETS:
                if unexpected := outcomes.keys() - {SliceOutcome.DONE, SliceOutcome.PASSED_ON}:
                    raise RuntimeError(f"slices came to nothing: {', '.join(unexpected)}")
                receiving = self._queue.receive_messages(
                    max_messages=_BATCH_SIZE, messages_per_page=_BATCH_SIZE, visibility_timeout=_LEASE_SECONDS
                )
                async for message in receiving:
                    working.create_task(work(message))
                await asyncio.sleep(_POLL_SECONDS)
