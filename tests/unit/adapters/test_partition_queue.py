"""What waits for one partition, by a clock that the test turns: who waits for how long, and who is told what."""

import asyncio

import pytest

from shared.adapters.event_hubs.batches import Waiting
from shared.adapters.event_hubs.hub_connection import BusyError
from shared.adapters.event_hubs.partition_queue import NEVER, PartitionQueue, Patience
from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export
from shared.errors import ExportTooLargeError, FailureCode, HeldBackError, SendError, ThrottledError
from tests.kit.builders import NOW

BUSY = BusyError("d", "busy", FailureCode.THROTTLED, "2")


class Queue:
    """A partition's queue with its clock, which stands still unless it is turned."""

    def __init__(self, *, alone: bool = True, patience: Patience | None = None, most: int = 1_000_000) -> None:
        self.now = 0.0
        self._most = most
        self.patience = patience or Patience(spread=0.0)
        self.queue = PartitionQueue("d", "2", self.patience, alone=alone, room=lambda size: self._held + size <= most)

    @property
    def _held(self) -> int:
        return self.queue.throttled_bytes

    def add(self, body: bytes = b"{}") -> Waiting:
        destination = Destination(id="d", name="d", event_hub_name="d")
        export = Export(destination, "p", NOW, 1, ("audience",), NOW, body)
        waiting = Waiting(export, asyncio.get_running_loop().create_future(), self.now)
        self.queue.add(waiting, self.now)
        return waiting

    def send(self) -> list[Waiting]:
        """Begin a batch of all that may go in it."""
        most = self.queue.begin()
        for _ in range(min(most, len(self.queue.waiting))):
            self.queue.sent.append(self.queue.waiting.popleft())
        return list(self.queue.sent)

    def answered(self, error: BusyError | None = None) -> None:
        if error is None:
            self.queue.acknowledged()
        else:
            self.queue.throttled(self.now, error)
        self.queue.end()


def told(waiting: Waiting) -> SendError | None:
    error = waiting.acknowledged.exception() if waiting.acknowledged.done() else None
    assert error is None or isinstance(error, SendError)
    return error


async def test_what_is_throttled_keeps_its_place_and_is_sent_again_after_the_sdks_own_pause() -> None:
    hub = Queue()
    first = hub.add()
    hub.send()
    second = hub.add()
    hub.answered(BUSY)
    third = hub.add()
    assert hub.queue.resume_at == 4.0
    hub.now = 4.0
    assert hub.send() == [first, second, third]
    hub.answered()
    assert [each.acknowledged.result().throttled for each in (first, second, third)] == [True, False, False]
    assert (hub.queue.held, hub.queue.throttled_bytes) == (None, 0)


async def test_throttling_that_does_not_last_tells_nobody() -> None:
    """For a minute, every second try is refused: a hub that is offered twice what it takes."""
    hub = Queue()
    waiting = []
    for second in range(60):
        hub.now = float(second)
        waiting.append(hub.add())
        if hub.queue.resume_at <= hub.now:
            hub.send()
            hub.answered(BUSY if second % 8 == 0 else None)
    hub.now = 64.0
    hub.send()
    hub.answered()
    assert [told(each) for each in waiting] == [None] * 60
    assert all(each.acknowledged.done() for each in waiting)


async def test_lanes_do_not_meet_a_hub_busy_again_and_again_that_is_so_in_every_other_second() -> None:
    """All of them would, were each pause four seconds long."""
    taken = 0
    for _ in range(100):
        hub = Queue(patience=Patience())
        waiting = hub.add()
        while not waiting.acknowledged.done():
            hub.send()
            hub.answered(BUSY if int(hub.now) % 2 == 0 else None)
            hub.now = hub.queue.resume_at
        taken += told(waiting) is None
    assert taken > 50


async def test_throttling_that_lasts_is_told_and_then_one_send_at_a_time_looks() -> None:
    hub = Queue()
    waiting = [hub.add()]
    while not waiting[0].acknowledged.done():
        hub.send()
        hub.answered(BUSY)
        hub.now += 4.0
        waiting.append(hub.add())
    assert hub.now - 4.0 <= hub.patience.throttled_after < hub.now + 4.0
    assert isinstance(told(waiting[0]), ThrottledError)
    assert told(waiting[0]) is told(waiting[1])
    assert "partition 2" in str(told(waiting[0]))

    trial = waiting[-1]
    assert not trial.acknowledged.done()
    hub.send()
    assert isinstance(told(hub.add()), ThrottledError)
    hub.answered(BUSY)
    assert isinstance(told(trial), ThrottledError)
    assert isinstance(told(hub.add()), ThrottledError)
    hub.now += 4.0
    again = hub.add()
    hub.send()
    hub.answered()
    assert told(again) is None
    assert told(hub.add()) is None


async def test_throttling_long_ago_does_not_count() -> None:
    hub = Queue()
    hub.add()
    while hub.queue.held is None:
        hub.send()
        hub.answered(BUSY)
        hub.now += 4.0
    hub.now += 100.0
    late = hub.add()
    hub.send()
    hub.answered(BUSY)
    assert not late.acknowledged.done()


async def test_no_more_waits_for_a_busy_hub_than_there_is_room_for() -> None:
    hub = Queue(most=5_000)
    first = hub.add(b"x" * 1_000)
    hub.send()
    hub.answered(BUSY)
    assert [isinstance(told(hub.add(b"x" * 1_000)), ThrottledError) for _ in range(3)] == [False, True, True]
    assert told(first) is None


async def test_what_a_busy_hub_loses_takes_no_room_any_more() -> None:
    hub = Queue(most=10_000)
    waiting = [hub.add(b"{%b}" % (b" " * 8_000))]
    hub.send()
    hub.answered(BUSY)
    hub.now = hub.queue.resume_at
    hub.send()
    hub.queue.failed(SendError("d", "the connection was lost"))
    hub.queue.end()
    waiting.append(hub.add(b"{%b}" % (b" " * 8_000)))
    assert [type(told(each)) for each in waiting] == [SendError, type(None)]
    assert hub.send() == waiting[1:]


async def test_nobody_waits_for_longer_than_a_minute() -> None:
    hub = Queue()
    waiting = []
    for second in range(0, 240, 4):
        hub.now = float(second)
        waiting.append(hub.add())
        hub.send()
        if second % 8 == 0:  # of each two tries one is refused, and the other takes a single event
            hub.answered(BUSY)
        else:
            taken, *rest = hub.queue.sent
            hub.queue.sent[:] = [taken]
            hub.queue.waiting.extendleft(reversed(rest))
            hub.answered()
    late = [each for each in waiting if told(each)]
    assert late
    assert all("it takes less than there is to send" in str(told(each)) for each in late)
    assert hub.queue.waiting[0].since >= hub.now - 60


async def test_a_limit_that_is_reached_is_told_as_one() -> None:
    hub = Queue(patience=Patience(throttled_after=0.0))
    waiting = hub.add()
    hub.send()
    hub.answered(BusyError("d", "no more connections", FailureCode.QUOTA, "2"))
    error = told(waiting)
    assert isinstance(error, ThrottledError)
    assert (error.code, error.partition) == ("quota", "2")


@pytest.mark.parametrize(("alone", "tried_again"), [(True, 0.0), (False, 15.0)])
async def test_a_slow_partition_is_tried_by_one_send_and_holds_up_its_neighbours_seldom(
    alone: bool, tried_again: float
) -> None:
    hub = Queue(alone=alone)
    sent = hub.add()
    hub.send()
    behind = hub.add()
    hub.queue.slow(hub.now)
    assert told(sent) is told(behind) is not None
    assert isinstance(told(hub.add()), HeldBackError)  # the send is under way still
    hub.queue.end()
    assert hub.queue.resume_at == tried_again
    hub.now = tried_again
    trial = hub.add()
    assert told(trial) is None
    assert isinstance(told(hub.add()), HeldBackError)
    hub.send()
    hub.answered()
    assert told(trial) is told(hub.add()) is None


async def test_what_a_partition_that_is_gone_leaves_is_taken_over_in_its_order() -> None:
    hub = Queue()
    exports = [hub.add() for _ in range(3)]
    hub.send()
    exports.append(hub.add())
    hub.queue.gone()
    hub.queue.end()
    assert hub.queue.resume_at == NEVER
    assert hub.queue.take_all() == exports
    assert not any(each.acknowledged.done() for each in exports)


async def test_those_of_a_batch_that_is_too_large_go_one_by_one() -> None:
    hub = Queue()
    exports = [hub.add() for _ in range(3)]
    hub.send()
    hub.queue.failed(ExportTooLargeError("d", "too large", "2"))
    hub.queue.end()
    for each in exports:
        assert hub.send() == [each]
        hub.answered()
    hub.add(), hub.add()
    assert len(hub.send()) == 2
