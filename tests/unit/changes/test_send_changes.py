"""Sending: what was added is on the queue for certain at the end, or it is said from where to send again."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.instants import SECOND
from shared.domain.messages.message import decode_message
from shared.errors import ChangeRefusedError, StorageError
from shared.services.changes.send import IN_FLIGHT, SendChanges
from tests.kit.builders import NOW, item
from tests.kit.fakes.queues import MemoryChangesQueue


def changes_of(count: int, size: int = 100) -> list[dict[str, Any]]:
    return [item(f"p{number}", 1, attributes={"text": "x" * size}) for number in range(1, count + 1)]


def profile_ids(queue: MemoryChangesQueue) -> list[str]:
    return [change.profile_id for body in queue.bodies for _, change in decode_message(body, NOW).changes]


class FailingQueue(MemoryChangesQueue):
    """Fails the message that holds `profile_id`; the others take longer."""

    def __init__(self, profile_id: str) -> None:
        super().__init__()
        self._needle = f'"profileId":"{profile_id}"'.encode()
        self.waiting = 0
        self.most_waiting = 0

    async def put(self, body: bytes) -> None:
        self.waiting += 1
        self.most_waiting = max(self.waiting, self.most_waiting)
        try:
            if self._needle in body:
                raise StorageError("queue q: could not put a message: HTTP 503")
            for _ in range(10):
                await asyncio.sleep(0)
            await super().put(body)
        finally:
            self.waiting -= 1


async def send(sending: SendChanges, changes: list[dict[str, Any]]) -> None:
    async with sending:
        for change in changes:
            await sending.add(change)


async def test_all_is_on_the_queue_at_the_end() -> None:
    queue = MemoryChangesQueue()
    sending = SendChanges(queue, lambda: NOW)
    await send(sending, changes_of(3_000))
    assert profile_ids(queue) == [f"p{number}" for number in range(1, 3_001)]
    assert (sending.sent, sending.messages, sending.unsure_from) == (3_000, len(queue.bodies), 3_001)
    assert len(queue.bodies) < 12


async def test_a_change_that_is_refused_does_not_stop_the_others() -> None:
    queue = MemoryChangesQueue()
    async with SendChanges(queue, lambda: NOW) as sending:
        await sending.add(item("p1", 1))
        with pytest.raises(ChangeRefusedError, match="5 minutes ahead"):
            await sending.add(item("p2", 1) | {"occurredAt": "2026-01-11T22:05:01Z"})
        with pytest.raises(ChangeRefusedError, match="too large"):
            await sending.add(item("p3", 1, attributes={"text": "x" * 65_536}))
        await sending.add(json.dumps(item("p4", 1)).encode())
    assert profile_ids(queue) == ["p1", "p4"]


async def test_unchecked_whatever_is_an_object_goes() -> None:
    queue = MemoryChangesQueue()
    async with SendChanges(queue, lambda: NOW, checked=False) as sending:
        await sending.add({"no": "change"})
        with pytest.raises(ChangeRefusedError):
            await sending.add(b"[]")
    assert queue.bodies == [b'{"no":"change"}']


@given(failing=st.integers(min_value=1, max_value=60), batch_bytes=st.integers(min_value=300, max_value=2_000))
async def test_after_a_failure_sending_again_from_where_it_is_unsure_loses_nothing(
    failing: int, batch_bytes: int
) -> None:
    changes, queue = changes_of(60), FailingQueue(f"p{failing}")
    sending = SendChanges(queue, lambda: NOW, batch_bytes=batch_bytes)
    with pytest.raises(StorageError, match="HTTP 503"):
        await send(sending, changes)
    arrived = profile_ids(queue)
    assert len(arrived) >= sending.sent
    assert queue.waiting == 0
    assert queue.most_waiting <= IN_FLIGHT
    rest = MemoryChangesQueue()
    async with SendChanges(rest, lambda: NOW) as again:
        for number, change in enumerate(changes, start=1):
            if number >= sending.unsure_from:
                await again.add(change, number)
    assert {*arrived, *profile_ids(rest)} == {change["profileId"] for change in changes}
    assert sending.unsure_from <= failing


async def test_an_error_of_the_caller_leaves_nothing_on_its_way() -> None:
    queue = FailingQueue("nobody")
    sending = SendChanges(queue, lambda: NOW, batch_bytes=1)
    with pytest.raises(ChangeRefusedError):
        await send(sending, [item("p", 1), item("q", 1), {"no": "change"}])
    assert (queue.waiting, sending.sent, sending.unsure_from) == (0, 0, 1)


async def test_to_the_rate() -> None:
    now, slept = NOW, []

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += round(seconds * SECOND)

    queue = MemoryChangesQueue()
    await send(SendChanges(queue, lambda: now, sleep=sleep, rate=100), changes_of(60))
    assert [len(decode_message(body, NOW).changes) for body in queue.bodies] == [10] * 6
    assert slept == pytest.approx([0.1] * 5, abs=0.001)


async def test_who_is_stopped_while_it_waits_for_the_rate_is_told_of_what_waits() -> None:
    async def stopped(seconds: float) -> None:
        raise asyncio.CancelledError

    queue, changes = MemoryChangesQueue(), changes_of(3)
    sending = SendChanges(queue, lambda: NOW, sleep=stopped, rate=10)
    await sending.add(changes[0])
    await sending.finish()
    await sending.add(changes[1])
    with pytest.raises(asyncio.CancelledError):
        await sending.add(changes[2])
    assert (profile_ids(queue), sending.unsure_from) == (["p1"], 2)
