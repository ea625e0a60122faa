"""Live traffic beside a backfill: changes of a mapped attribute of its members, at a steady rate."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

from azure.storage.queue.aio import QueueClient

from bench.harness.people import member_id
from shared.domain.instants import SECOND, format_instant

ATTRIBUTE = "liveChange"
CHANGES_A_MESSAGE = 10
PROFILES = 1_000
_SENDERS = 8


class LiveLoad:
    """Changes with a number each, which comes back in their exports; `sent_at` has their times by number.

    At a steady rate that is the time when a change is due, so that a sender that is late makes nothing look faster.
    """

    def __init__(
        self, queue: QueueClient, first: int, profiles: int = PROFILES, changes_a_message: int = CHANGES_A_MESSAGE
    ) -> None:
        self._queue = queue
        self._changes_a_message = changes_a_message
        self._profiles = profiles
        self.next = first
        self.sent_at: dict[int, float] = {}

    async def burst(self, changes: int) -> None:
        """As fast as the queue takes them."""
        messages = iter(range(changes // self._changes_a_message))

        async def send_in_turn() -> None:
            for _ in messages:
                await self._send(time.time())

        await asyncio.gather(*(send_in_turn() for _ in range(_SENDERS)))

    async def steady(self, rate: float, seconds: float) -> None:
        """`rate` changes a second on a fixed schedule, whatever becomes of those before: nobody slows the sender.

        At least one message, however short the time is.
        """
        begin, begin_wall = time.monotonic(), time.time()
        async with asyncio.TaskGroup() as sending:
            for number in range(max(1, int(rate * seconds / self._changes_a_message))):
                due = number * self._changes_a_message / rate
                await asyncio.sleep(max(0.0, begin + due - time.monotonic()))
                sending.create_task(self._send(begin_wall + due))

    async def _send(self, at: float) -> None:
        numbers = range(self.next, self.next + self._changes_a_message)
        self.next += self._changes_a_message
        self.sent_at |= dict.fromkeys(numbers, at)
        await self._queue.send_message(json.dumps(list(self._changes(numbers, at))))

    def _changes(self, numbers: range, at: float) -> Iterator[dict[str, Any]]:
        """The profiles take turns, so that no two changes of a message are of one profile and share one export."""
        for number in numbers:
            yield {
                "profileId": member_id(number % self._profiles),
                "occurredAt": format_instant(int(at * SECOND)),
                "attributes": {ATTRIBUTE: number},
            }
