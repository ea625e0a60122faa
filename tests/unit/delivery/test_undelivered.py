"""Failed sends: stored, retried twice, parked while a destination is down, redriven when it is back."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import Mock

import pytest

from shared.domain.exports.undelivered import UndeliveredState
from shared.domain.instants import SECOND
from shared.domain.messages.pointers import RetryPointer
from shared.errors import ExportTooLargeError, FailureCode, HeldBackError, SendError, StorageError, ThrottledError
from shared.ports.health import DestinationTrouble
from shared.ports.undelivered import StoredUndelivered
from shared.services.changes.export import InboundMessage
from shared.services.delivery import circuit_breakers
from shared.services.delivery.attempts import Attempt
from tests.kit.builders import NOW, configuration, destination, item, membership, told
from tests.kit.world import CACHE_SECONDS, DOCUMENT, World

QUALIFIES = {"segmentMembership": membership(1)}
MINUTE = 60.0


@pytest.fixture
def world() -> World:
    return World()


def row_of(world: World, destination_id: str = "d", profile_id: str = "p") -> Any:
    return next(
        row
        for row, _ in world.undelivered.rows.values()
        if (row.destination_id, row.profile_id) == (destination_id, profile_id)
    )


async def fail_once(world: World) -> None:
    """The profile p qualifies, and d cannot hear of it."""
    world.break_down("d")
    await world.handle(item("p", 1, **QUALIFIES))


async def open_the_breaker(world: World) -> None:
    """Three failures in a row, of other profiles."""
    world.break_down("d")
    for number in range(3):
        await world.handle(item(f"opens-{number}", 1, **QUALIFIES), message_id=f"opens-{number}")
    world.retries.waiting.clear()


async def test_two_retries_then_dead(world: World) -> None:
    await fail_once(world)
    assert await world.retry() == [(Attempt.FAILED, 15.0)]
    assert await world.retry() == [(Attempt.FAILED, 30.0)]
    assert await world.retry() == []

    row = row_of(world)
    assert (row.state, row.attempts, row.last_error, row.reasons) == (UndeliveredState.DEAD, 3, "down", ("audience",))
    assert (row.first_failed_at, row.last_failed_at) == (NOW, NOW + 45_000_000)


async def test_a_retry_sends_the_profile_as_it_is_by_then(world: World) -> None:
    await fail_once(world)
    world.mend("d")
    await world.handle(item("p", 2, attributes={"x": 2}), message_id="m2")
    world.sender.sent.clear()

    assert await world.retry() == [(Attempt.SENT, 15.0)]

    (export,) = world.sender.sent
    assert (told([export]), export.version) == ([("d", "audience")], world.profiles.saves[-1].version)
    assert world.rows == {}


async def test_many_failures_of_one_profile_make_one_row_and_one_pointer(world: World) -> None:
    await fail_once(world)
    await world.handle(item("p", 2, attributes={"x": 2}), message_id="m2")

    assert len(world.retries.waiting) == 1
    row = row_of(world)
    assert (row.version, row.reasons, row.attempts) == (world.profiles.saves[-1].version, ("audience", "attribute"), 1)


async def test_a_row_that_grew_newer_during_its_retry_is_tried_again(world: World) -> None:
    await fail_once(world)
    world.mend("d")
    delete = world.undelivered.delete

    with pytest.MonkeyPatch.context() as patch:

        async def beaten(stored: Any) -> None:
            patch.undo()
            world.break_down("d")
            await world.handle(item("p", 2, attributes={"x": 2}), message_id="m2")
            world.mend("d")
            await delete(stored)

        patch.setattr(world.undelivered, "delete", beaten)
        assert await world.retry() == [(Attempt.SENT, 15.0)]
    assert world.rows == {("d", "p"): "retrying"}
    assert [attempt for attempt, _ in await world.retry()] == [Attempt.SENT]
    assert world.rows == {}
    assert world.sender.sent[-1].version == world.profiles.saves[-1].version


async def test_what_is_too_large_is_never_retried(world: World) -> None:
    world.sender.failures["d"] = lambda down: ExportTooLargeError(down, "too large")
    await world.handle(item("p", 1, **QUALIFIES))
    assert (world.rows, world.retries.waiting, row_of(world).permanent) == ({("d", "p"): "dead"}, [], True)
    await world.clock.sleep(10 * MINUTE)
    assert (await world.worker.watch_destinations.run()).summary() == {}

    world.break_down("d")
    await world.handle(item("p", 2, attributes={"x": 1}), message_id="m2")
    assert (world.rows, len(world.retries.waiting)) == ({("d", "p"): "retrying"}, 1)


@pytest.mark.parametrize(
    ("fields", "attempt", "rows"),
    [
        ({"destinations": [destination("e")], "dataflows": DOCUMENT["dataflows"][1:]}, Attempt.DROPPED, {}),
        ({"dataflows": [{"id": "d", "audiences": ["other"]}]}, Attempt.DROPPED, {}),
        ({"dataflows": [{"id": "d", "audiences": ["a"], "enabled": False}]}, Attempt.PARKED, {("d", "p"): "parked"}),
    ],
)
async def test_a_retry_for_who_is_gone_unmapped_or_paused(
    world: World, fields: dict[str, Any], attempt: Attempt, rows: dict[tuple[str, str], str]
) -> None:
    await fail_once(world)
    world.configuration.put(configuration(DOCUMENT | fields).model_copy(update={"revision": 2}))
    await world.clock.sleep(30)
    assert [done for done, _ in await world.retry()] == [attempt]
    assert world.rows == rows


async def test_an_outdated_pointer_does_nothing(world: World) -> None:
    await fail_once(world)
    (first, _) = world.retries.waiting[0]
    await world.retry()
    for pointer in (RetryPointer("d", "unknown", 1), RetryPointer(first.destination_id, first.profile_key, 7)):
        assert await world.worker.retry_export.handle(pointer) == Attempt.OUTDATED
    assert len(world.retries.waiting) == 1


async def test_a_pointer_lost_in_a_crash_is_put_again(world: World) -> None:
    await fail_once(world)
    ((pointer, _),) = world.retries.waiting
    await world.worker.retry_export.handle(pointer)
    world.retries.waiting.clear()

    assert await world.worker.retry_export.handle(pointer) == Attempt.OUTDATED
    assert [each.attempt for each, _ in world.retries.waiting] == [2]

    world.retries.waiting.clear()
    await world.worker.watch_destinations.run()
    assert world.retries.waiting == []
    await world.clock.sleep(30 + 121)
    assert (await world.worker.watch_destinations.run()).summary() == {"d": {"pointed to again": 1}}
    assert [each.attempt for each, _ in world.retries.waiting] == [2]


async def test_after_three_failures_in_a_row_exports_are_parked_untried(world: World) -> None:
    await open_the_breaker(world)
    assert world.health.troubles == {
        "d": DestinationTrouble("d", recovering=False, since=NOW, error="down", code="other")
    }

    outcome = await world.handle(item("p", 1, **QUALIFIES))

    assert outcome.summary()["undelivered"] == {"d": {"parked": 1}}
    assert told(world.sender.sent)[-1] == ("e", "audience")
    assert world.retries.waiting == []


async def test_a_batch_that_fails_whole_is_one_failure(world: World) -> None:
    error = SendError("d", "down")
    for _ in range(10):
        await world.worker.breakers.failed(error)
    assert world.health.troubles == {}


async def test_failures_side_by_side_open_the_breaker_once(world: World) -> None:
    await asyncio.gather(*(world.worker.breakers.failed(SendError("d", f"down {number}")) for number in range(10)))
    assert world.health.troubles["d"].error == "down 2"


async def test_a_breaker_that_nobody_could_be_told_of_stays_closed(world: World) -> None:
    world.break_down("d")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.health, "put", Mock(side_effect=StorageError("down")))
        for number in range(2):
            await world.handle(item(f"p{number}", 1, **QUALIFIES), message_id=f"m{number}")
        with pytest.raises(StorageError):
            await world.handle(item("p2", 1, **QUALIFIES), message_id="m2")
    assert (await world.handle(item("p", 1, **QUALIFIES))).summary()["undelivered"] == {"d": {"retrying": 1}}


async def test_a_busy_hub_is_not_down(world: World) -> None:
    world.sender.failures["d"] = lambda busy: ThrottledError(busy, "the hub is busy")
    for number in range(10):
        await world.handle(item("p", number + 1, **QUALIFIES), message_id=f"m{number}")
    assert world.health.troubles == {}


async def test_what_a_busy_hub_does_not_take_for_long_is_parked_until_it_does(world: World) -> None:
    """Retries would only add to the load, and nothing is dead for that the hub is too small."""
    world.sender.failures["d"] = lambda busy: ThrottledError(busy, "the hub is busy", "0")
    await world.handle(item("p", 1, **QUALIFIES))
    assert (world.rows, world.retries.waiting) == ({("d", "p"): "parked"}, [])
    ((row, _),) = world.undelivered.rows.values()
    assert (row.code, row.last_error, row.attempts) == ("throttled", "the hub is busy", 0)
    for _ in range(5):
        await world.clock.sleep(30)
        assert (await world.worker.watch_destinations.run()).summary() == {"d": {"parked": 1}}
    world.mend("d")
    assert (await world.worker.watch_destinations.run()).summary() == {"d": {"sent": 1}}
    assert world.rows == {}


async def test_while_nobody_can_sign_in_exports_wait_and_no_hub_is_to_blame(world: World) -> None:
    """None is retried until it is dead, and no destination is down: not even that of a hub that answers."""
    world.sender.failures["d"] = lambda held: HeldBackError(held, "sign-in fails", FailureCode.SIGN_IN_FAILING)
    for number in range(5):
        await world.handle(item(f"p{number}", 1, segmentMembership=membership(1)), message_id=f"m{number}")
    assert world.health.troubles == {}
    assert world.rows == {("d", f"p{number}"): "parked" for number in range(5)}
    assert world.retries.waiting == []
    world.mend("d")
    for _ in range(2):
        await world.clock.sleep(60)
        await world.worker.watch_destinations.run()
    assert world.rows == {}


async def test_a_retry_that_is_held_back_is_parked(world: World) -> None:
    world.break_down("d")
    await world.handle(item("p", 1, **QUALIFIES))
    world.sender.failures["d"] = lambda held: HeldBackError(held, "it is slow", FailureCode.TIMEOUT, "0")
    assert [attempt for attempt, _ in await world.retry()] == [Attempt.PARKED]
    assert (world.rows, world.retries.waiting, world.health.troubles) == ({("d", "p"): "parked"}, [], {})


async def test_other_workers_hear_of_it_with_the_configuration(world: World) -> None:
    other = world.new_worker()
    await other.export_changes.handle(InboundMessage("warm", b"[]", NOW))
    await open_the_breaker(world)
    await world.clock.sleep(30)

    body = f'[{{"profileId":"q","occurredAt":"2026-01-11T21:00:00Z","segmentMembership":{_json(membership(1))}}}]'
    outcome = await other.export_changes.handle(InboundMessage("m", body.encode(), NOW))

    assert outcome.summary()["undelivered"] == {"d": {"parked": 1}}


def _json(value: Any) -> str:
    return str(value).replace("'", '"')


async def test_an_outage_costs_one_row_for_each_profile_and_minute(world: World) -> None:
    await open_the_breaker(world)
    await world.clock.sleep(1)
    before = world.undelivered.writes
    for second in range(50):
        await world.handle(item("p", second, **QUALIFIES, attributes={"x": second}), message_id=f"m{second}")
        await world.clock.sleep(1)
    assert world.undelivered.writes - before == 1
    await world.clock.sleep(60)
    await world.handle(item("p", 99, attributes={"x": 99}), message_id="later")
    assert world.undelivered.writes - before == 2


async def test_recovery_is_probed_with_a_parked_export_and_waits_until_all_know(world: World) -> None:
    await open_the_breaker(world)
    await world.handle(item("p", 1, **QUALIFIES))
    await world.clock.sleep(31)
    assert (await world.worker.watch_destinations.run()).summary() == {"d": {"still down": 1}}

    world.mend("d")
    world.sender.sent.clear()
    assert (await world.worker.watch_destinations.run()).summary() == {"d": {"answers again": 1}}
    assert told(world.sender.sent) == [("d", "audience")]
    assert world.rows[("d", "p")] == "parked"
    await world.clock.sleep(59)
    assert (await world.worker.watch_destinations.run()).summary() == {"d": {"recovering": 1}}
    await world.clock.sleep(1)
    outcome = (await world.worker.watch_destinations.run()).summary()

    assert (outcome["d"]["sent"], outcome["d"]["healthy"]) == (1, 1)
    assert ("d", "p") not in world.rows
    assert world.health.troubles == {}
    await world.handle(item("q", 1, **QUALIFIES), message_id="m2")
    assert told(world.sender.sent)[-2:] == [("d", "audience"), ("e", "audience")]


async def test_dead_exports_are_redriven_once_their_destination_answers(world: World) -> None:
    await fail_once(world)
    await world.retry()
    await world.retry()
    world.mend("d")
    world.health.troubles.clear()
    await world.clock.sleep(61)

    assert (await world.worker.watch_destinations.run()).summary()["d"]["sent"] == 1
    assert world.rows == {}


async def test_a_redrive_stops_at_failures_and_keeps_its_pace(world: World) -> None:
    await open_the_breaker(world)
    for number in range(20):
        await world.handle(item(f"p{number}", 1, **QUALIFIES), message_id=f"m{number}")
    await world.clock.sleep(31)
    world.health.troubles.clear()
    await world.clock.sleep(31)
    before = world.clock.now

    outcome = await world.worker.watch_destinations.redrive("d")

    assert outcome.summary()["d"]["failed"] == 3
    assert world.clock.now - before == 1_500


async def test_storage_that_fails_for_one_destination_costs_the_others_no_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breakers, "FAILURES_IN_A_ROW", 7)  # so that three attempts of two rows open none
    await leave_dead_rows(world)
    of = world.undelivered.of
    waits_for_d = asyncio.Event()

    async def failing(destination_id: str) -> AsyncIterator[StoredUndelivered]:
        if destination_id == "d":
            waits_for_d.set()
            raise StorageError("table Undelivered: could not query: HTTP 500")
        await waits_for_d.wait()
        async for stored in of(destination_id):
            await asyncio.sleep(0)
            yield stored

    world.undelivered.of = failing  # type: ignore[method-assign]
    outcome = await world.worker.watch_destinations.run()

    assert asyncio.all_tasks() == {asyncio.current_task()}  # nothing goes on that the next run would overlap
    assert world.rows.keys() == {("d", "p"), ("d", "q")}
    assert outcome.done == {("e", "sent"): 2}
    assert [(each, str(error)) for each, error in outcome.failed.items()] == [
        ("d", "table Undelivered: could not query: HTTP 500")
    ]


async def leave_dead_rows(world: World) -> None:
    """One for each of two profiles and destinations, that the next run tries."""
    for destination_id in ("d", "e"):
        world.sender.failures[destination_id] = lambda lost: SendError(lost, "the connection was lost")
    await world.handle(item("p", 1, **QUALIFIES), item("q", 1, **QUALIFIES))
    for _ in range(2):
        await world.retry()
    assert set(world.rows.values()) == {"dead"}
    world.sender.failures.clear()
    await world.clock.sleep(61)


async def test_a_person_may_redrive_what_is_dead_for_good(world: World) -> None:
    world.sender.failures["d"] = lambda down: ExportTooLargeError(down, "too large")
    await world.handle(item("p", 1, **QUALIFIES))
    world.mend("d")
    assert (await world.worker.watch_destinations.redrive("d")).summary() == {"d": {"sent": 1}}
    assert world.rows == {}


async def test_poisoned_changes_end_in_quarantine_and_what_was_due_as_undelivered(world: World) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.worker.delivery, "finish", None)
        with pytest.raises(TypeError):
            await world.handle(item("p", 1, **QUALIFIES))
    body = f"[{_json(item('p', 1, **QUALIFIES))}]".encode()

    await world.worker.poisoned.changes(InboundMessage("copy", body, NOW))

    (kept,) = world.quarantine.items.values()
    assert (kept.raw, kept.item, kept.profile_id) == (body[1:-1], 0, "p")
    assert world.rows == {("d", "p"): "retrying", ("e", "p"): "retrying"}
    assert [attempt for attempt, _ in await world.retry()] == [Attempt.SENT, Attempt.SENT]


async def test_a_poisoned_pointer_leaves_a_dead_row(world: World) -> None:
    await fail_once(world)
    ((pointer, _),) = world.retries.waiting
    await world.worker.poisoned.pointer(pointer)
    assert world.rows == {("d", "p"): "dead"}


async def test_a_run_that_began_before_an_outage_does_not_send_what_is_parked_in_it(world: World) -> None:
    """The worker counts on the row that it parked, and says nothing of the newer export for a minute."""
    run = world.undelivered.of

    async def meanwhile(destination_id: str) -> AsyncIterator[StoredUndelivered]:
        """What the run reads of the destination, after a worker found it down and parked an export."""
        world.undelivered.of = run  # type: ignore[method-assign]
        world.break_down("d")
        await world.handle(*(item(f"q{number}", 1, **QUALIFIES) for number in range(3)), message_id="breaks")
        await world.handle(item("p", 1, **QUALIFIES), message_id="parks")
        world.mend("d")
        async for stored in run(destination_id):
            yield stored

    watcher = world.new_worker()
    world.undelivered.of = meanwhile  # type: ignore[method-assign]
    await watcher.watch_destinations.run()
    await world.handle(item("p", 2, attributes={"x": "newest"}), message_id="counts on the row")

    for _ in range(6):
        await world.clock.sleep(60)
        await watcher.watch_destinations.run()
        await world.retry()
    told_of_p = [export for export in world.sender.sent if (export.destination.id, export.profile_id) == ("d", "p")]
    assert b'"x":"newest"' in max(told_of_p, key=lambda export: export.version).body


async def test_news_of_an_outage_are_not_cleared_by_a_run_that_began_before(world: World) -> None:
    recovering = DestinationTrouble("d", recovering=True, since=world.clock(), error="down")
    await world.health.put(recovering)
    await world.clock.sleep(2 * CACHE_SECONDS)
    down = DestinationTrouble("d", recovering=False, since=world.clock(), error="down again")
    of = world.undelivered.of

    async def meanwhile(destination_id: str) -> AsyncIterator[StoredUndelivered]:
        if destination_id == "d":
            await world.health.put(down)
        async for stored in of(destination_id):
            yield stored

    world.undelivered.of = meanwhile  # type: ignore[method-assign]
    await world.worker.watch_destinations.run()
    assert world.health.troubles == {"d": down}


async def test_an_outage_that_the_health_rows_do_not_tell_of_yet_is_parked_each_time(world: World) -> None:
    """Whoever redrives does not know of it either, and may take the row away."""
    put = world.health.put
    told = asyncio.Event()

    async def slow(trouble: DestinationTrouble) -> None:
        await told.wait()
        await put(trouble)

    world.health.put = slow  # type: ignore[method-assign]
    world.break_down("d")
    telling = asyncio.ensure_future(
        world.handle(*(item(f"q{number}", 1, **QUALIFIES) for number in range(3)), message_id="breaks")
    )
    for _ in range(50):
        await asyncio.sleep(0)
    await world.handle(item("p", 1, **QUALIFIES), message_id="one")
    writes = world.undelivered.writes
    await world.handle(item("p", 2, attributes={"x": 1}), message_id="two")
    assert world.undelivered.writes == writes + 1
    told.set()
    await telling
    await world.clock.sleep(0.001)
    await world.handle(item("p", 3, attributes={"x": 2}), message_id="three")
    await world.handle(item("p", 4, attributes={"x": 3}), message_id="four")
    assert world.undelivered.writes == writes + 3


async def test_a_worker_whose_save_took_long_does_not_count_on_what_it_knew_before(world: World) -> None:
    await open_the_breaker(world)
    await world.clock.sleep(1)
    await world.handle(item("p", 1, **QUALIFIES), message_id="one")
    writes = world.undelivered.writes

    def slow() -> None:
        world.clock.now += int(CACHE_SECONDS * SECOND)

    world.profiles.before_save = slow
    await world.handle(item("p", 2, attributes={"x": 1}), message_id="two")
    assert world.undelivered.writes == writes + 1
