"""A worker's hold on what it has in hand: what is noted when, what others find of it, when a failure comes again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import pytest

from shared.adapters.queues.in_hand import QUEUE, decode_note, encode_note
from shared.domain.messages.queue_kind import QueueKind
from shared.errors import StorageError
from shared.host_json import FailedMessages
from shared.ports.in_hand import InHandNote, MessageInHand
from shared.services.in_hand.hold import (
    LOOK_SECONDS,
    MANY,
    MOST_IN_A_NOTE,
    NOTED_WITHIN_SECONDS,
    PATIENCE_SECONDS,
    PAUSE_SECONDS,
    QUIET_SECONDS,
    HoldMessages,
)
from tests.kit.fakes.queues import QUEUE_NAMES
from tests.kit.memory_queues import MemoryMessagesInHand, Taken
from tests.kit.virtual_time import run_virtually

LEASE = 60.0
CHANGES = QUEUE_NAMES[QueueKind.CHANGES]


class Instance:
    """One worker beside a host, which has handed out messages of its queue of changes."""

    def __init__(self, queues: MemoryMessagesInHand | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.queues = queues or MemoryMessagesInHand(lambda: int(loop.time() * 1_000_000))
        self.hold = HoldMessages(
            messages=self.queues,
            queue_names=QUEUE_NAMES,
            clock=lambda: int(loop.time() * 1_000_000),
            sleep=asyncio.sleep,
            lease_seconds=LEASE,
            failed=FailedMessages(first_delay=30, most_deliveries=10),
        )
        self._before = asyncio.all_tasks()

    async def handed_out(self, count: int) -> list[Taken]:
        for number in range(count):
            await self.queues.put(CHANGES, str(number))
        return await self.queues.take(CHANGES)

    async def begin(self, stack: AsyncExitStack, taken: Sequence[Taken]) -> None:
        await asyncio.gather(*(stack.enter_async_context(self.holding(each)) for each in taken))

    def holding(self, taken: Taken, deliveries: int = 1):  # type: ignore[no-untyped-def]
        return self.hold.holding(QueueKind.CHANGES, taken.message.id, taken.message.receipt, deliveries)

    async def noted(self) -> list[list[MessageInHand]]:
        """What the notes say that are not hidden."""
        return [decode_note(taken.text.encode()) for taken in await self.queues.take(QUEUE)]

    def die(self) -> None:
        for task in asyncio.all_tasks() - self._before:
            task.cancel()


def virtually(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    async def run() -> None:
        await test()

    def played() -> None:
        run_virtually(run)

    played.__name__ = test.__name__
    return played


@virtually
async def test_what_is_done_soon_is_not_noted() -> None:
    worker = Instance()
    for _ in range(20):
        async with AsyncExitStack() as stack:
            await worker.begin(stack, await worker.handed_out(MANY - 1))
            await asyncio.sleep(LOOK_SECONDS)
    await asyncio.sleep(1)
    assert worker.queues.requests == []


@virtually
async def test_what_takes_longer_is_found_once_its_worker_is_gone() -> None:
    worker = Instance()
    taken = await worker.handed_out(3)
    async with AsyncExitStack() as stack:
        await worker.begin(stack, taken)
        await asyncio.sleep(PATIENCE_SECONDS + 2 * LOOK_SECONDS)
        worker.die()
        await asyncio.sleep(LEASE - 1)
        assert await worker.noted() == []
        await asyncio.sleep(1)
        (noted,) = await worker.noted()
        assert noted == [each.message for each in taken]

    another = Instance(worker.queues)
    await worker.queues.settle(taken[0].message)
    assert await another.hold.give_back(noted) == 2
    assert [each.text for each in await worker.queues.take(CHANGES)] == ["1", "2"]
    assert await another.hold.give_back(noted) == 0


@virtually
async def test_many_are_noted_at_once_by_one_request() -> None:
    worker = Instance()
    async with AsyncExitStack() as stack:
        await worker.begin(stack, await worker.handed_out(48))
        await asyncio.sleep(2 * LOOK_SECONDS)
        assert worker.queues.requests == ["put a note"]
        await worker.begin(stack, await worker.handed_out(16))
        await asyncio.sleep(2 * LOOK_SECONDS)
        assert worker.queues.requests == ["put a note", "write a note"]
        worker.die()
    await asyncio.sleep(LEASE)
    assert [len(noted) for noted in await worker.noted()] == [64]


@virtually
async def test_a_note_has_no_more_than_a_message_has_room_for() -> None:
    worker = Instance()
    taken = await worker.handed_out(MOST_IN_A_NOTE + 1)
    async with AsyncExitStack() as stack:
        await worker.begin(stack, taken)
        await asyncio.sleep(2 * LOOK_SECONDS)
        worker.die()
    await asyncio.sleep(LEASE)
    assert await worker.noted() == [[each.message for each in taken[:MOST_IN_A_NOTE]]]
    long = MessageInHand("q" * 63, "i" * 36, "r" * 120)
    assert len(encode_note([long] * MOST_IN_A_NOTE)) < 64 * 1_024


@virtually
async def test_a_note_is_renewed_while_at_work_and_goes_once_it_is_quiet() -> None:
    worker = Instance()
    (taken,) = await worker.handed_out(1)
    async with worker.holding(taken):
        for _ in range(50):
            await asyncio.sleep(LEASE / 10)
            assert await worker.noted() == []
        assert worker.queues.requests.count("put a note") == 1
        assert 8 <= worker.queues.requests.count("write a note") <= 10
    await asyncio.sleep(LEASE / 2 + QUIET_SECONDS)
    assert worker.queues.requests[-1] == "delete a note"
    assert len(asyncio.all_tasks()) == 1
    await asyncio.sleep(LEASE)
    assert await worker.noted() == []


@virtually
async def test_a_note_that_was_found_all_the_same_is_written_anew() -> None:
    worker = Instance()
    (taken,) = await worker.handed_out(1)
    async with worker.holding(taken):
        await asyncio.sleep(1)
        await worker.hold.let_go()
        assert await worker.noted() == [[taken.message]]
        await asyncio.sleep(LEASE)
        assert worker.queues.requests.count("put a note") == 2
        worker.die()
    await asyncio.sleep(LEASE)
    assert await worker.noted() == [[taken.message]]


@virtually
async def test_storage_that_fails_holds_up_no_work_and_is_asked_again() -> None:
    worker = Instance()
    (taken,) = await worker.handed_out(1)
    worker.queues.failure = StorageError("no answer")
    async with worker.holding(taken):
        await asyncio.sleep(10)
        assert 5 < len(worker.queues.requests) < 12
        worker.queues.failure = None
        await asyncio.sleep(2)
        worker.die()
    await asyncio.sleep(LEASE)
    assert await worker.noted() == [[taken.message]]


@virtually
async def test_a_worker_that_ends_lets_go_at_once() -> None:
    worker = Instance()
    await worker.hold.let_go()
    assert worker.queues.requests == []
    taken = await worker.handed_out(2)
    async with AsyncExitStack() as stack:
        await worker.begin(stack, taken)
        await worker.hold.let_go()
        assert await worker.noted() == [[each.message for each in taken]]


@pytest.mark.parametrize(
    ("deliveries", "error", "seconds"),
    [
        (1, ValueError(), None),
        (1, StorageError(), None),
        (2, ValueError(), 60),
        (3, ValueError(), 120),
        (9, ValueError(), 300),
        (2, StorageError(), 90),
        (9, StorageError(), 600),
        (10, StorageError(), None),
        (11, ValueError(), None),
    ],
)
def test_a_failure_comes_again_the_later_the_more_often_it_was_tried(
    deliveries: int, error: Exception, seconds: float | None
) -> None:
    """None: by the host's own delay, and what becomes poison keeps the receipt by which the host deletes it."""

    async def play() -> None:
        worker = Instance()
        (taken,) = await worker.handed_out(1)
        with pytest.raises(type(error)):
            async with worker.holding(taken, deliveries):
                raise error
        if seconds is None:
            assert worker.queues.requests == []
            return
        assert not await worker.queues.hide(taken.message, 0)
        await asyncio.sleep(seconds - 1)
        assert await worker.queues.take(CHANGES) == []
        await asyncio.sleep(1)
        assert len(await worker.queues.take(CHANGES)) == 1

    run_virtually(play)


@virtually
async def test_a_failure_is_raised_though_it_cannot_be_put_off() -> None:
    worker = Instance()
    (taken,) = await worker.handed_out(1)
    worker.queues.failure = StorageError("no answer")
    with pytest.raises(ValueError, match="why"):
        async with worker.holding(taken, 2):
            raise ValueError("why")


@pytest.mark.parametrize(
    "body",
    [b"", b"no JSON", b"[]", b'{"q":[["id"]]}', b'{"q":[["id","receipt","more"]]}', b'{"q":1}', b"[" * 20_000],
)
def test_what_is_no_note_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="queue messages-in-hand: expected ids and receipts by queue"):
        decode_note(body)


@virtually
async def test_work_on_one_of_many_begins_once_it_is_noted() -> None:
    """Beside the work on all of them the note would come last, when nobody needs it any more."""
    worker = Instance()
    begun: list[bool] = []

    async def work(taken: Taken, done: asyncio.Event) -> None:
        async with worker.holding(taken):
            begun.append(bool(worker.queues.requests))
            await done.wait()

    done = asyncio.Event()
    handed_out = await worker.handed_out(MANY + 15)
    working = [asyncio.create_task(work(each, done)) for each in handed_out]
    await asyncio.sleep(2 * LOOK_SECONDS)
    assert begun == [False] * (MANY - 1) + [True] * 16
    done.set()
    await asyncio.gather(*working)


@virtually
async def test_work_begins_although_nothing_can_be_noted() -> None:
    """The first of many wait for the try, the next ones only once a note was written again."""

    class Failing(MemoryMessagesInHand):
        fails = True

        async def put_note(self, messages: Sequence[MessageInHand], seconds: float) -> InHandNote:
            if self.fails:
                raise StorageError("out of order")
            return await super().put_note(messages, seconds)

    loop = asyncio.get_running_loop()
    queues = Failing(lambda: int(loop.time() * 1_000_000))
    worker = Instance(queues)
    async with AsyncExitStack() as stack:
        began = loop.time()
        await worker.begin(stack, await worker.handed_out(MANY))
        assert loop.time() - began <= 2 * LOOK_SECONDS
        began = loop.time()
        await worker.begin(stack, await worker.handed_out(16))
        assert loop.time() == began
        queues.fails = False
        await asyncio.sleep(PAUSE_SECONDS + 2 * LOOK_SECONDS)
        assert queues.requests == ["put a note"]


@virtually
async def test_work_does_not_wait_for_a_note_that_takes_long() -> None:
    class Slow(MemoryMessagesInHand):
        async def put_note(self, messages: Sequence[MessageInHand], seconds: float) -> InHandNote:
            await asyncio.sleep(100 * NOTED_WITHIN_SECONDS)
            return await super().put_note(messages, seconds)

    loop = asyncio.get_running_loop()
    worker = Instance(Slow(lambda: int(loop.time() * 1_000_000)))
    async with AsyncExitStack() as stack:
        began = loop.time()
        await worker.begin(stack, await worker.handed_out(MANY))
        assert loop.time() - began == pytest.approx(NOTED_WITHIN_SECONDS)
        worker.die()
