"""What failed at every delivery goes back on its queue once storage answers; after its rounds it is given up."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.domain.instants import DAY, MINUTE, SECOND
from shared.domain.messages.pointers import AnyPointer, DeliveryPointer, RetryPointer, SlicePointer
from shared.domain.messages.queue_kind import QueueKind
from shared.errors import ConflictError, StorageError
from shared.ports.poison import PoisonMessage
from shared.services.poison.drain import KEPT, ROUNDS, SAME_ROUND
from tests.kit.builders import NOW, item, membership
from tests.kit.world import World

QUALIFIES = {"segmentMembership": membership(1)}
BODY = json.dumps([item("p", 1, **QUALIFIES), item("q", 1), {"bad": 1}]).encode()
A_ROUND = 3 * 3_600
PUT_BACK = {"put back": 1}


@pytest.fixture
def world() -> World:
    return World()


def no_answer(*_: object) -> Any:
    raise StorageError("no answer")


async def drain(world: World, after_seconds: float = 120) -> dict[str, dict[str, int]]:
    """One run of the timer, and what it did."""
    await world.clock.sleep(after_seconds)
    world.poison_queues.show_again()
    return (await world.worker.drain_poison_queues.run()).summary()


def fail_again(world: World) -> None:
    """What was put back fails at every delivery once more."""
    back, world.poison_queues.back = world.poison_queues.back, []
    for kind, body, pointer in back:
        world.poison_queues.put(kind, body, pointer)


async def test_nothing_waits(world: World) -> None:
    assert await drain(world) == {}


async def test_a_message_is_put_back_at_once(world: World) -> None:
    world.poison_queues.put(QueueKind.CHANGES, BODY)
    assert await drain(world) == {"changes": PUT_BACK}
    assert world.poison_queues.back == [(QueueKind.CHANGES, BODY, None)]
    assert (world.poison_queues.waiting, world.poison_queues.taken) == ([], [])
    assert world.quarantine.items == {}


async def test_one_that_always_fails_is_given_up_after_its_rounds(world: World) -> None:
    world.poison_queues.put(QueueKind.CHANGES, BODY)
    for _ in range(ROUNDS):
        assert await drain(world, A_ROUND) == {"changes": PUT_BACK}
        fail_again(world)
    assert await drain(world, A_ROUND) == {"changes": {"given up": 1}}
    assert world.poison_queues.back == []
    assert {(kept.item, kept.code) for kept in world.quarantine.items.values()} == {
        (0, "gave-up"),
        (1, "gave-up"),
        (2, "invalid-change"),
    }
    # Whoever replays it gives it as many rounds again.
    world.poison_queues.put(QueueKind.CHANGES, BODY)
    assert await drain(world, A_ROUND) == {"changes": PUT_BACK}


async def test_copies_of_one_message_are_in_the_same_round(world: World) -> None:
    for _ in range(ROUNDS + 2):
        world.poison_queues.put(QueueKind.CHANGES, BODY)
        assert await drain(world, SAME_ROUND / SECOND / 10) == {"changes": PUT_BACK}


@pytest.mark.parametrize(
    "away",
    [
        lambda world: setattr(world.profiles, "load", no_answer),
        lambda world: setattr(world.poison_rounds, "load", no_answer),
        lambda world: setattr(world.poison_rounds, "save", no_answer),
    ],
    ids=["profiles", "reading rounds", "saving rounds"],
)
async def test_an_outage_costs_no_round_however_long_it_lasts(world: World, away: Callable[[World], None]) -> None:
    """By then the copy on the poison queue would be gone: it is put back before, where it does not expire."""
    runs_put_back = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.profiles, "load", world.profiles.load)
        patch.setattr(world.poison_rounds, "load", world.poison_rounds.load)
        patch.setattr(world.poison_rounds, "save", world.poison_rounds.save)
        away(world)
        world.poison_queues.put(QueueKind.CHANGES, BODY)
        for hour in range(40 * 24):
            outcome = await drain(world, 3_600)
            waiting = [*world.poison_queues.waiting, *world.poison_queues.taken]
            assert all(world.clock() < each.expires_at for each in waiting), f"lost after {hour} hours"
            if outcome:
                runs_put_back += 1
                fail_again(world)
    assert runs_put_back >= 7
    for _ in range(ROUNDS):  # and none of that counts
        assert await drain(world, A_ROUND) == {"changes": PUT_BACK}
        fail_again(world)
    assert await drain(world, A_ROUND) == {"changes": {"given up": 1}}


async def test_one_profile_that_cannot_be_read_keeps_no_other_message(world: World) -> None:
    load = world.profiles.load

    async def partly(profile_id: str) -> Any:
        return no_answer() if profile_id == "p" else await load(profile_id)

    world.profiles.load = partly  # type: ignore[method-assign]
    other = json.dumps(item("r", 1)).encode()
    world.poison_queues.put(QueueKind.CHANGES, BODY)
    world.poison_queues.put(QueueKind.CHANGES, other)
    world.poison_queues.put(QueueKind.SLICES, b"{}", SlicePointer("b", 0, 1))
    await world.clock.sleep(60)
    drained = await world.worker.drain_poison_queues.run()
    assert drained.summary() == {"changes": PUT_BACK, "slices": PUT_BACK}
    assert [str(error) for error in drained.failed] == ["no answer"]
    assert {body for _, body, _ in world.poison_queues.back} == {other, b"{}"}
    assert [each.body for each in world.poison_queues.taken] == [BODY]


async def test_a_queue_that_cannot_be_read_keeps_no_other_queue(world: World) -> None:
    take = world.poison_queues.take

    async def partly(kind: QueueKind) -> list[PoisonMessage]:
        return no_answer() if kind == QueueKind.CHANGES else await take(kind)

    world.poison_queues.take = partly  # type: ignore[method-assign]
    world.poison_queues.put(QueueKind.CHANGES, BODY)
    world.poison_queues.put(QueueKind.SLICES, b"{}", SlicePointer("b", 0, 1))
    drained = await world.worker.drain_poison_queues.run()
    assert drained.summary() == {"slices": PUT_BACK}
    assert len(drained.failed) == 1


async def test_all_of_many_are_drained_within_the_time_that_there_is(world: World) -> None:
    for number in range(100):
        world.poison_queues.put(QueueKind.CHANGES, json.dumps(item(f"p{number}", 1)).encode())
    take = world.poison_queues.take

    async def slowly(kind: QueueKind) -> list[PoisonMessage]:
        if kind == QueueKind.CHANGES:
            await world.clock.sleep(20)
        return await take(kind)

    world.poison_queues.take = slowly  # type: ignore[method-assign]
    assert await drain(world) == {"changes": {"put back": 96}}
    assert await drain(world) == {"changes": {"put back": 4}}


async def given_up(world: World, kind: QueueKind, pointer: AnyPointer) -> None:
    world.poison_queues.put(kind, b"{}", pointer)
    for _ in range(ROUNDS):
        assert await drain(world, A_ROUND) == {kind: PUT_BACK}
        assert world.poison_queues.back == [(kind, b"{}", pointer)]
        fail_again(world)
    assert await drain(world, A_ROUND) == {kind: {"given up": 1}}


async def test_a_retry_that_always_fails_leaves_a_dead_row(world: World) -> None:
    world.break_down("d")
    await world.handle(item("p", 1, **QUALIFIES))
    ((pointer, _),) = world.retries.waiting
    await given_up(world, QueueKind.RETRIES, pointer)
    assert world.rows == {("d", "p"): "dead"}


@pytest.mark.parametrize(
    ("kind", "pointer"),
    [
        (QueueKind.RETRIES, RetryPointer("d", "0" * 64, 1)),
        (QueueKind.SLICES, SlicePointer("b", 0, 1)),
        (QueueKind.ALERTS, DeliveryPointer("e", "s", 1)),
    ],
)
async def test_what_a_pointer_stood_for_may_be_gone(world: World, kind: QueueKind, pointer: AnyPointer) -> None:
    await given_up(world, kind, pointer)


@pytest.mark.parametrize("kind", [QueueKind.RETRIES, QueueKind.SLICES, QueueKind.ALERTS])
async def test_what_is_no_pointer_is_kept_in_quarantine(world: World, kind: QueueKind) -> None:
    world.poison_queues.put(kind, b"no pointer")
    assert await drain(world) == {kind: {"quarantined": 1}}
    (kept,) = world.quarantine.items.values()
    assert (kept.raw, kept.item, kept.code) == (b"no pointer", None, "unreadable")


async def test_what_the_app_cannot_handle_by_its_own_fault_is_kept_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Any:
        raise IndexError("secret")

    monkeypatch.setattr("shared.services.changes.poisoned.decode_message", broken)
    world.poison_queues.put(QueueKind.CHANGES, BODY)
    drained = await world.worker.drain_poison_queues.run()
    assert drained.summary() == {"changes": {"quarantined": 1}}
    assert [type(error) for error in drained.failed] == [IndexError]
    (kept,) = world.quarantine.items.values()
    assert (kept.raw, kept.code) == (BODY, "gave-up")
    assert "IndexError" in kept.reason
    assert "secret" not in kept.reason


async def test_of_two_runs_one_counts(world: World) -> None:
    async def taken_by_another(_: object) -> None:
        raise ConflictError("somebody else saved the row first")

    world.poison_rounds.save = taken_by_another  # type: ignore[method-assign,assignment]
    world.poison_queues.put(QueueKind.CHANGES, BODY)
    assert await drain(world) == {}
    assert len(world.poison_queues.taken) == 1


async def test_rounds_are_forgotten(world: World) -> None:
    world.poison_queues.put(QueueKind.CHANGES, BODY)
    await drain(world)
    world.clock.now = NOW + KEPT
    await world.worker.drain_poison_queues.forget_outdated()
    assert len(world.poison_rounds.rows) == 1
    world.clock.now += 10 * MINUTE
    await world.worker.drain_poison_queues.forget_outdated()
    assert world.poison_rounds.rows == {}
    assert KEPT > 7 * DAY
