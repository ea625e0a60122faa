"""Live traffic beside a backfill: changes of a mapped attribute of its members, at a steady rate."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

from azure.storage.queue.aio import QueueClient

from bench.backfill.people import member_id
from shared.domain.instants import SECOND, format_instant

ATTRIBUTE = "liveChange"
_CHANGES_A_MESSAGE = 10
_PROFILES = 1_000
_SENDERS = 8


class LiveLoad:
    """Changes with a number each, which comes back in their exports; `sent_at` has their times by number."""

    def __init__(self, queue: QueueClient, first: int) -> None:
        self._queue = queue
        self.next = first
        self.sent_at: dict[int, float] = {}

    async def burst(self, changes: int) -> None:
        """As fast as the queue takes them."""
        messages = iter(range(changes // _CHANGES_A_MESSAGE))

        async def send_in_turn() -> None:
            for _ in messages:
                await self._send()

        await asyncio.gather(*(send_in_turn() for _ in range(_SENDERS)))

    async def steady(self, rate: float, seconds: float) -> None:
        """`rate` changes a second on a fixed schedule, whatever becomes of those before: nobody slows the sender."""
        begin = time.monotonic()
        async with asyncio.TaskGroup() as sending:
            for number in range(int(rate * seconds / _CHANGES_A_MESSAGE)):
                due = begin + number * _CHANGES_A_MESSAGE / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                sending.create_task(self._send())

    async def _send(self) -> None:
        now = time.time()
        numbers = range(self.next, self.next + _CHANGES_A_MESSAGE)
        self.next += _CHANGES_A_MESSAGE
        self.sent_at |= dict.fromkeys(numbers, now)
        await self._queue.send_message(json.dumps(list(_changes(numbers, now))))


def _changes(numbers: range, now: float) -> Iterator[dict[str, Any]]:
    """The profiles take turns, so that no two changes of a message are of one profile and share one export."""
    for number in numbers:
        yield {
            "profileId": member_id(number % _PROFILES),
            "occurredAt": format_instant(int(now * SECOND)),
            "attributes": {ATTRIBUTE: number},
        }
