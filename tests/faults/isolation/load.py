"""The load of the isolation measurement: destinations that all must hear of every change, and a steady sender."""

import asyncio
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from azure.storage.queue.aio import QueueClient

from shared.domain.instants import format_instant

PARTITIONS = 2
PROFILES = 1_000
CHANGES_A_MESSAGE = 10
_AUDIENCE = "everyone"
_ENTERED = {"status": "realized", "lastQualificationTime": "2026-01-01T00:00:00Z"}
_MICROSECONDS = 1_000_000
_SENDERS = 8


@dataclass(frozen=True, slots=True)
class Destinations:
    """`broken` are those that the fault is for."""

    broken: tuple[str, ...]
    sound: tuple[str, ...]

    @classmethod
    def of(cls, number: int, broken: int) -> "Destinations":
        """So many in all. Raises ValueError unless some are broken and some are not."""
        if not 0 < broken < number:
            raise ValueError(f"expected at least one broken destination and a sound one, not {broken} of {number}")
        names = tuple(f"destination-{each}" for each in range(number))
        return cls(names[:broken], names[broken:])

    @property
    def all(self) -> tuple[str, ...]:
        return *self.broken, *self.sound

    def __str__(self) -> str:
        return f"{len(self.broken)} of {len(self.all)} destinations"


def configuration(destinations: Destinations) -> dict[str, Any]:
    """As it stands in a declarative file."""
    return {
        "audiences": [{"id": _AUDIENCE, "name": "Everyone"}],
        "destinations": [{"id": name, "name": name, "eventHubName": name} for name in destinations.all],
        "dataflows": [{"id": name, "audiences": [_AUDIENCE], "attributes": ["/change"]} for name in destinations.all],
    }


class Load:
    """Changes with a number each, which comes back in every export of them; `sent_at` has their times by number."""

    def __init__(self, queue: QueueClient) -> None:
        self._queue = queue
        self.sent_at: list[float] = []

    async def qualify(self) -> None:
        """Let every profile enter the audience, as fast as the queue takes it."""
        await self._as_fast_as_possible(PROFILES, {"segmentMembership": {"ups": {_AUDIENCE: _ENTERED}}})

    async def burst(self, changes: int) -> None:
        await self._as_fast_as_possible(changes, {})

    async def _as_fast_as_possible(self, changes: int, more: dict[str, Any]) -> None:
        messages: Iterator[int] = iter(range(changes // CHANGES_A_MESSAGE))

        async def send_in_turn() -> None:
            for _ in messages:
                await self._send(more)

        await asyncio.gather(*(send_in_turn() for _ in range(_SENDERS)))

    async def steady(self, rate: float, seconds: float) -> None:
        """`rate` changes a second on a fixed schedule, whatever becomes of those before: nobody slows the sender."""
        begin = time.monotonic()
        async with asyncio.TaskGroup() as sending:
            for number in range(int(rate * seconds / CHANGES_A_MESSAGE)):
                due = begin + number * CHANGES_A_MESSAGE / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                sending.create_task(self._send({}))

    async def _send(self, more: dict[str, Any]) -> None:
        now = time.time()
        first = len(self.sent_at)
        numbers = range(first, first + CHANGES_A_MESSAGE)
        self.sent_at += [now] * CHANGES_A_MESSAGE
        await self._queue.send_message(json.dumps(list(_changes(numbers, now, more))))


def _changes(numbers: Iterable[int], now: float, more: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The profiles take turns, so that no two changes of a message are of one profile and share one export."""
    for number in numbers:
        yield {
            "profileId": f"profile-{number % PROFILES}",
            "occurredAt": format_instant(int(now * _MICROSECONDS)),
            "attributes": {"change": number},
            **more,
        }
