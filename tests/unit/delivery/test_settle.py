"""When a profile is sent once more, so that its last event is the greatest version; when that would be needless."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from shared.adapters.queues.pointers import RETRIES
from shared.domain.exports.export import Export
from shared.domain.instants import SECOND
from shared.domain.messages.pointers import RetryPointer
from shared.domain.messages.resync_item import ResyncRequest
from shared.domain.profile_key import profile_key
from shared.errors import StorageError
from shared.ports.exports import Acknowledgement
from shared.services.changes.export import InboundMessage
from shared.services.delivery.attempts import Attempt
from shared.services.delivery.settle import MAY_BE_UNDER_WAY, SENT_IN_TIME, SETTLES_IN
from shared.services.wiring import Services
from tests.kit.builders import NOW, item, membership
from tests.kit.fakes.delivery import MemorySender
from tests.kit.world import World
from tests.unit.changes.test_recent_profiles import Reading

QUALIFIES: dict[str, Any] = {"segmentMembership": membership(1)}


class Overtaken(MemorySender):
    """Until the hub has an export, `meanwhile` happens, once."""

    meanwhile: Callable[[], Coroutine[Any, Any, Any]] | None = None

    def enqueue(self, export: Export, *, more_follow: bool = False) -> "asyncio.Future[Acknowledgement]":
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is None:
            return super().enqueue(export)

        async def send() -> Acknowledgement:
            await meanwhile()
            return await super(Overtaken, self).enqueue(export)

        return asyncio.ensure_future(send())


@pytest.fixture
def sender() -> Overtaken:
    return Overtaken()


@pytest.fixture
def world(sender: Overtaken) -> World:
    world = World(settle=True)
    world.sender = sender
    world.worker = world.new_worker()
    return world


async def handle(worker: Services, second: int, message_id: str = "", **fields: Any) -> None:
    body = json.dumps([item("p", second, **(fields or {"attributes": {"x": second}}))]).encode()
    await worker.export_changes.handle(InboundMessage(message_id or f"m{second}", body, NOW))


async def qualified(world: World) -> None:
    """A profile that both destinations have heard of a minute ago, and a worker that did not tell them."""
    await handle(world.worker, 1, **QUALIFIES)
    await world.clock.sleep(60)
    assert world.retries.waiting == []
    world.sender.sent.clear()


def versions(world: World) -> list[int]:
    """Of what `d` was sent, by its place among all of them."""
    sent = [export.version for export in world.sender.sent if export.destination.id == "d"]
    return [sorted(set(sent)).index(version) for version in sent]


def settling(world: World) -> list[tuple[str, float]]:
    return [(pointer.destination_id, delay) for pointer, delay in world.retries.waiting if pointer.settles]


async def test_an_export_that_follows_another_workers_at_once_is_sent_once_more(world: World) -> None:
    await qualified(world)
    await handle(world.worker, 2)
    await handle(world.new_worker(), 3)
    assert settling(world) == [("d", SETTLES_IN)]
    assert await world.retry() == [(Attempt.SENT, SETTLES_IN)]
    assert versions(world) == [0, 1, 1]
    first, again = world.sender.sent[-2:]
    assert (first.message_id, first.body) == (again.message_id, again.body)
    assert first.application_properties == again.application_properties
    assert world.retries.waiting == []


async def test_who_does_not_ask_for_it_is_sent_nothing_more_and_costs_no_request() -> None:
    profiles = Reading()
    world = World(profiles)
    await qualified(world)
    await handle(world.worker, 2)
    before = profiles.reads
    await handle(world.new_worker(), 3)
    assert world.retries.waiting == []
    assert profiles.reads == before + 1


async def test_who_entered_is_told_again_under_the_same_id(world: World) -> None:
    await handle(world.worker, 1, **QUALIFIES)
    await handle(world.new_worker(), 2, segmentMembership=membership(2, "exited"))
    await world.retry()
    told = [export.application_properties for export in world.sender.sent if export.destination.id == "d"]
    assert [each.get("left") for each in told] == [None, "ups/a", "ups/a"]
    assert told[1] == told[2]


async def test_what_followed_another_worker_at_once_and_came_late_may_be_overtaken_too(
    world: World, sender: Overtaken
) -> None:
    await qualified(world)
    await handle(world.worker, 2)

    async def others_go_on() -> None:
        await world.clock.sleep(5)
        await handle(world.worker, 4)

    sender.meanwhile = others_go_on
    await handle(world.new_worker(), 3)
    assert versions(world) == [0, 2, 1]
    assert await world.retry() == [(Attempt.SENT, SETTLES_IN)]
    assert versions(world) == [0, 2, 1, 2]


@pytest.mark.parametrize("worker", ["same", "other"])
async def test_order_cannot_have_turned(world: World, worker: str) -> None:
    """The events of a worker come in the order of its saves; another's has come by then, or that worker looks."""
    await qualified(world)
    await handle(world.worker, 2)
    if worker == "other":
        await world.clock.sleep(MAY_BE_UNDER_WAY / SECOND)
    await handle(world.worker if worker == "same" else world.new_worker(), 3)
    assert (world.retries.waiting, versions(world)) == ([], [0, 1])


async def test_a_later_change_makes_it_needless(world: World) -> None:
    await qualified(world)
    other = world.new_worker()
    await handle(world.worker, 2)
    await handle(other, 3)
    await world.clock.sleep(5)
    await handle(other, 4)
    assert await world.retry() == [(Attempt.OUTDATED, SETTLES_IN)]
    assert versions(world) == [0, 1, 2]


async def test_a_later_change_that_is_not_exported_does_not(world: World) -> None:
    await qualified(world)
    await handle(world.worker, 2)
    await handle(world.new_worker(), 3)
    await world.clock.sleep(5)
    await handle(world.worker, 4, attributes={"unmapped": 1})
    assert await world.retry() == [(Attempt.SENT, SETTLES_IN)]
    assert versions(world) == [0, 1, 2]


async def test_who_is_acknowledged_late_looks_whether_it_was_overtaken(world: World, sender: Overtaken) -> None:
    await qualified(world)
    sender.meanwhile = partial(world.clock.sleep, SENT_IN_TIME / SECOND)
    await handle(world.worker, 2)
    assert world.retries.waiting == []

    async def overtake() -> None:
        await world.clock.sleep(MAY_BE_UNDER_WAY / SECOND)
        await handle(world.new_worker(), 4)

    sender.meanwhile = overtake
    await handle(world.worker, 3)
    assert versions(world) == [0, 2, 1]
    assert await world.retry() == [(Attempt.SENT, SETTLES_IN)]
    assert versions(world) == [0, 2, 1, 2]


async def test_a_retry_that_is_overtaken(world: World, sender: Overtaken) -> None:
    await qualified(world)
    world.break_down("d")
    await handle(world.worker, 2)
    world.mend("d")
    sender.meanwhile = partial(handle, world.new_worker(), 3)
    assert (await world.retry())[0][0] == Attempt.SENT
    assert versions(world) == [1, 0]
    assert await world.retry() == [(Attempt.SENT, SETTLES_IN)]
    assert versions(world) == [1, 0, 1]


async def test_a_probe_that_is_overtaken(world: World, sender: Overtaken) -> None:
    """Its row stays, but another worker may be about to take it away."""
    await qualified(world)
    world.break_down("d")
    await handle(world.worker, 2)
    world.mend("d")
    world.retries.waiting.clear()
    await world.clock.sleep(60)
    stored = await world.undelivered.load("d", profile_key("p"))
    assert stored is not None
    sender.meanwhile = partial(handle, world.new_worker(), 3)
    assert await world.worker.retry_export.probe(stored, await world.worker.configuration.current())
    assert versions(world) == [1, 0]
    assert settling(world) == [("d", SETTLES_IN)]


async def test_a_retry_while_what_failed_may_still_arrive(world: World) -> None:
    await qualified(world)
    world.break_down("d")
    await handle(world.worker, 2)
    world.mend("d")
    (pointer, _), world.retries.waiting = world.retries.waiting[0], []
    await world.clock.sleep(1)
    assert await world.worker.retry_export.handle(pointer) == Attempt.SENT
    await world.clock.sleep(2)
    await handle(world.worker, 3)
    assert settling(world) == [("d", SETTLES_IN)]
    assert await world.retry() == [(Attempt.SENT, SETTLES_IN)]


async def test_a_message_that_comes_again_and_is_overtaken(world: World, sender: Overtaken) -> None:
    await qualified(world)
    await handle(world.worker, 2)
    await world.clock.sleep(60)
    sender.meanwhile = partial(handle, world.new_worker(), 3)
    await handle(world.new_worker(), 2)
    assert versions(world) == [0, 1, 0]
    await world.retry()
    assert versions(world) == [0, 1, 0, 1]


async def test_a_backfill_that_is_overtaken(world: World, sender: Overtaken) -> None:
    await qualified(world)
    sender.meanwhile = partial(handle, world.new_worker(), 2)
    everyone = ResyncRequest.model_validate({"scope": {"type": "everything"}})
    await world.worker.resyncs.request("d", everyone)
    await world.run_backfills()
    assert versions(world) == [1, 0]
    await world.retry()
    assert versions(world) == [1, 0, 1]


async def test_a_pointer_that_cannot_be_put_lets_the_message_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await qualified(world)
    await handle(world.worker, 2)
    put = world.retries.put

    async def fail(*_: Any) -> None:
        raise StorageError("no answer")

    monkeypatch.setattr(world.retries, "put", fail)
    with pytest.raises(StorageError):
        await handle(world.new_worker(), 3)
    monkeypatch.setattr(world.retries, "put", put)
    await handle(world.new_worker(), 3)
    assert versions(world) == [0, 1, 1]


async def test_what_fails_once_more_is_undelivered(world: World) -> None:
    await qualified(world)
    await handle(world.worker, 2)
    await handle(world.new_worker(), 3)
    world.break_down("d")
    assert await world.retry() == [(Attempt.FAILED, SETTLES_IN)]
    assert world.rows == {("d", "p"): "retrying"}


async def test_a_deletion_is_over_when_its_last_export_has_come_last(world: World) -> None:
    await qualified(world)
    await handle(world.worker, 2)
    await handle(world.new_worker(), 3, deleted=True)
    state = await world.profiles.load("p")
    assert state.state.deletion is not None
    assert state.state.deletion.owed == ("d",)
    assert await world.retry() == [(Attempt.SENT, SETTLES_IN)]
    assert b"exited" in world.sender.sent[-1].body
    assert (await world.profiles.load("p")).state.empty


async def test_a_destination_or_a_profile_that_is_gone_needs_nothing(world: World) -> None:
    pointer = RetryPointer.settling("gone", "0" * 64, 1, ["audience"], NOW)
    assert await world.worker.retry_export.handle(pointer) == Attempt.DROPPED


async def test_given_up_it_takes_no_row_with_it(world: World) -> None:
    await qualified(world)
    world.break_down("d")
    await handle(world.worker, 2)
    pointer = world.retries.waiting[0][0]
    await world.worker.poisoned.pointer(RetryPointer.settling("d", pointer.profile_key, 1, ["audience"], NOW))
    assert world.rows == {("d", "p"): "retrying"}


def test_the_queue_brings_it_and_the_pointers_of_earlier_releases() -> None:
    settles = RetryPointer.settling("d", "0" * 64, NOW, ["audience", "attribute"], NOW - 1)
    assert RETRIES.decode(RETRIES.encode(settles).encode()) == settles
    earlier = b'{"destinationId": "d", "profileKey": "0", "attempt": 2}'
    assert RETRIES.decode(earlier) == RetryPointer("d", "0", 2)
    with pytest.raises(ValueError, match="expected destinationId, profileKey and attempt"):
        RETRIES.decode(b"{}")
