"""The contracts of PoisonQueues and PoisonRoundsStore."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import pytest

from shared.domain.instants import DAY, MINUTE
from shared.domain.messages.pointers import AnyPointer, DeliveryPointer, RetryPointer, SlicePointer
from shared.domain.messages.queue_kind import QueueKind
from shared.errors import ConflictError
from shared.ports.poison import PoisonQueues, PoisonRounds, PoisonRoundsStore
from tests.kit.builders import NOW

Poison: TypeAlias = Callable[[QueueKind, bytes, AnyPointer | None], Awaitable[None]]
"""Put a message on the `-poison` queue of this kind, with its pointer if it is one. It makes the queue where that is
missing.
"""
BackOn: TypeAlias = Callable[[QueueKind], Awaitable[Sequence[bytes]]]
"""What was put back on the queue of this kind."""

POINTERS: dict[QueueKind, tuple[bytes, AnyPointer]] = {
    QueueKind.RETRIES: (
        b'{"destinationId": "d", "profileKey": "%s", "attempt": 2}' % (b"0" * 64),
        RetryPointer("d", "0" * 64, 2),
    ),
    QueueKind.SLICES: (b'{"backfillId": "b", "bucket": 3, "sequence": 4}', SlicePointer("b", 3, 4)),
    QueueKind.ALERTS: (b'{"eventId": "e", "subscriptionId": "s", "attempt": 1}', DeliveryPointer("e", "s", 1)),
}


class PoisonQueuesContract:
    """The queues are there and empty; their `-poison` queues are missing."""

    @pytest.fixture
    def queues(self) -> PoisonQueues:
        raise NotImplementedError

    @pytest.fixture
    def poison(self) -> Poison:
        raise NotImplementedError

    @pytest.fixture
    def back_on(self) -> BackOn:
        raise NotImplementedError

    async def test_a_missing_queue_has_nothing(self, queues: PoisonQueues) -> None:
        assert [await queues.take(kind) for kind in QueueKind] == [[]] * len(QueueKind)

    async def test_what_is_taken_is_hidden_and_goes_when_it_is_deleted(
        self, queues: PoisonQueues, poison: Poison
    ) -> None:
        body = '{"text":"\u00fc <&>"}'.encode()
        await poison(QueueKind.CHANGES, body, None)
        (taken,) = await queues.take(QueueKind.CHANGES)
        assert (taken.kind, taken.body, taken.pointer) == (QueueKind.CHANGES, body, None)
        assert abs(taken.expires_at - taken.inserted_at - 7 * DAY) < MINUTE
        assert await queues.take(QueueKind.CHANGES) == []
        for _ in range(2):
            await queues.delete(taken)
        assert await queues.take(QueueKind.CHANGES) == []

    async def test_pointers_are_read(self, queues: PoisonQueues, poison: Poison) -> None:
        for kind, (body, pointer) in POINTERS.items():
            await poison(kind, body, pointer)
            assert [each.pointer for each in await queues.take(kind)] == [pointer]

    async def test_what_is_put_back_is_on_its_queue_and_still_on_the_other(
        self, queues: PoisonQueues, poison: Poison, back_on: BackOn
    ) -> None:
        await poison(QueueKind.CHANGES, b'{"a": 1}', None)
        (taken,) = await queues.take(QueueKind.CHANGES)
        await queues.put_back(taken)
        assert await back_on(QueueKind.CHANGES) == [b'{"a": 1}']
        assert await back_on(QueueKind.RETRIES) == []
        await queues.delete(taken)


class PoisonRoundsContract:
    @pytest.fixture
    def rounds(self) -> PoisonRoundsStore:
        raise NotImplementedError

    async def test_what_is_saved_is_there(self, rounds: PoisonRoundsStore) -> None:
        assert await rounds.load("a") is None
        await rounds.save(PoisonRounds("a", 1, NOW))
        loaded = await rounds.load("a")
        assert loaded is not None
        assert (loaded.rounds, loaded.ended_at) == (1, NOW)
        loaded.rounds, loaded.ended_at = 2, NOW + MINUTE
        await rounds.save(loaded)
        again = await rounds.load("a")
        assert again == loaded

    async def test_of_two_one_counts(self, rounds: PoisonRoundsStore) -> None:
        await rounds.save(PoisonRounds("a", 1, NOW))
        with pytest.raises(ConflictError):
            await rounds.save(PoisonRounds("a", 1, NOW))
        one, other = await rounds.load("a"), await rounds.load("a")
        assert one is not None
        assert other is not None
        await rounds.save(one)
        with pytest.raises(ConflictError):
            await rounds.save(other)

    async def test_what_ended_lately_is_counted_and_the_rest_can_be_forgotten(self, rounds: PoisonRoundsStore) -> None:
        assert await rounds.ended_since(0) == 0
        await rounds.forget(NOW)
        for minutes in range(3):
            await rounds.save(PoisonRounds(f"row-{minutes}", 1, NOW + minutes * MINUTE))
        assert [await rounds.ended_since(NOW + minutes * MINUTE) for minutes in range(4)] == [3, 2, 1, 0]
        await rounds.forget(NOW + 2 * MINUTE)
        assert await rounds.ended_since(0) == 1
        assert await rounds.load("row-0") is None
        assert await rounds.load("row-2") is not None
