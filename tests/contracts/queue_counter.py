"""The contract of QueueCounter."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from shared.domain.instants import MINUTE
from shared.domain.messages.queue_kind import QueueKind
from shared.ports.queues import QueueCount, QueueCounter

Put: TypeAlias = Callable[[QueueKind, bool, bool], Awaitable[int]]
"""Put a message of this kind: whether on the `-poison` queue, and whether it can be taken now. It makes the queue where
that is missing; when it was put, in microseconds.
"""


class QueueCounterContract:
    """`counter` is of queues that are there and empty; their `-poison` queues are missing."""

    @pytest.fixture
    def counter(self) -> QueueCounter:
        raise NotImplementedError

    @pytest.fixture
    def put(self) -> Put:
        raise NotImplementedError

    @staticmethod
    async def count(counter: QueueCounter, kind: QueueKind, poison: bool = False) -> QueueCount:
        (found,) = [each for each in await counter.counts() if (each.kind, each.poison) == (kind, poison)]
        return found

    async def test_every_queue_with_its_poison_queue(self, counter: QueueCounter) -> None:
        counts = await counter.counts()
        assert [(each.kind, each.poison) for each in counts] == [
            (kind, poison) for kind in QueueKind for poison in (False, True)
        ]
        assert [each.messages for each in counts] == [0, None] * len(QueueKind)
        assert {each.front_inserted_at for each in counts} == {None}
        assert len({each.name for each in counts}) == len(counts)
        assert all(each.name.endswith("-poison") == each.poison for each in counts)

    async def test_what_waits_is_counted_where_it_is(self, counter: QueueCounter, put: Put) -> None:
        first = await put(QueueKind.CHANGES, False, True)
        for _ in range(2):
            await put(QueueKind.CHANGES, False, True)
        await put(QueueKind.SLICES, True, True)
        changes = await self.count(counter, QueueKind.CHANGES)
        assert changes.messages == 3
        assert changes.front_inserted_at is not None
        assert abs(changes.front_inserted_at - first) < MINUTE
        assert (await self.count(counter, QueueKind.SLICES, poison=True)).messages == 1
        assert (await self.count(counter, QueueKind.SLICES)).messages == 0

    async def test_what_waits_for_its_delay_counts_and_is_not_at_the_front(
        self, counter: QueueCounter, put: Put
    ) -> None:
        await put(QueueKind.RETRIES, False, False)
        retries = await self.count(counter, QueueKind.RETRIES)
        assert (retries.messages, retries.front_inserted_at) == (1, None)
