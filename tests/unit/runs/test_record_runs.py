"""What becomes of changes and exports is counted where it happens, and saved without losing or doubling any."""

import asyncio
from collections import Counter

import pytest

from shared.domain.alerts.rule import Facts, RuleState
from shared.domain.alerts.rules import RULES
from shared.domain.configuration.model import parse_configuration_file
from shared.domain.instants import DAY, MINUTE, SECOND
from shared.domain.runs import NO_DESTINATION, SLOT, RunCounts, slot_of
from shared.errors import ExportTooLargeError, StorageError, ThrottledError
from shared.services.changes.export import InboundMessage
from shared.services.configuration.apply import apply_configuration
from shared.services.runs import record
from shared.services.runs.history import KEPT_DAYS
from tests.kit.builders import NOW, START, item, membership
from tests.kit.world import DOCUMENT, World


async def counted(world: World, destination_id: str = "d") -> RunCounts:
    """All that was counted so far."""
    assert await world.worker.runs.flush() is None
    return await world.worker.run_history.totals(destination_id, NOW - DAY, world.clock() + SLOT)


@pytest.fixture
def world() -> World:
    return World()


async def test_an_export_is_counted_with_its_reason_its_size_and_its_times(world: World) -> None:
    await world.clock.sleep(3)
    await world.handle(item("p", 1, segmentMembership=membership(1), attributes={"x": 1}))
    counts = await counted(world)
    (export,) = [each for each in world.sender.sent if each.destination.id == "d"]
    assert (counts.received, counts.activated) == (1, Counter({"audience,attribute": 1}))
    assert counts.bytes_sent == len(export.body) > 0
    assert (counts.latency.total, counts.latency.count) == (3 * SECOND, 1)
    assert counts.freshness.total == world.clock() - (START + SECOND)
    assert (counts.excluded, counts.failed, counts.retried, counts.dead, counts.parked) == (Counter(), 0, 0, 0, 0)


async def test_an_export_that_a_busy_hub_takes_late_or_not_is_counted_as_throttled(world: World) -> None:
    world.sender.throttled = True
    await world.handle(item("p", 1, segmentMembership=membership(1)))
    world.sender.failures["d"] = lambda busy: ThrottledError(busy, "busy")
    await world.handle(item("q", 1, segmentMembership=membership(1)), message_id="n")
    counts = await counted(world)
    assert (counts.activated.total(), counts.parked, counts.throttled, counts.failed) == (1, 1, 2, 0)
    assert RULES["throttled"].evaluate(Facts(exports=counts)) == RuleState.FIRING


async def test_a_message_of_unknown_age_has_no_latency(world: World) -> None:
    body = b'{"profileId": "p", "occurredAt": "2026-01-11T21:00:00Z", "attributes": {"x": 1}}'
    await world.worker.export_changes.handle(InboundMessage("m", body, 0))
    await world.handle(item("p", 1, segmentMembership=membership(1)), message_id="n")
    assert (await counted(world)).latency.count == 1


async def test_what_calls_for_no_export_is_counted_with_the_reason(world: World) -> None:
    joined = item("p", 1, segmentMembership=membership(1))
    await world.handle(joined)
    await world.handle(joined, item("p", 2, attributes={"y": 1}), item("q", 2, attributes={"x": 1}), 5, message_id="n")
    nobody = await counted(world, NO_DESTINATION)
    assert nobody.received == 5
    assert nobody.excluded == {"stale or duplicate": 1, "nothing mapped changed": 1, "in quarantine": 1}
    d = await counted(world)
    assert (d.received, d.activated, d.excluded) == (2, {"audience": 1}, {"in no mapped audience": 1})


async def test_a_failure_is_counted_at_each_attempt_and_its_end_once(world: World) -> None:
    world.break_down("d")
    await world.handle(item("p", 1, segmentMembership=membership(1)))
    while await world.retry():
        pass
    counts = await counted(world)
    assert (counts.received, counts.failed, counts.retried, counts.dead) == (1, 3, 2, 1)
    assert (counts.activated, counts.latency.count) == (Counter(), 0)
    assert (await counted(world, "e")).activated == {"audience": 1}
    world.health.troubles.clear()
    await world.clock.sleep(120)
    await world.worker.watch_destinations.redrive("d")
    again = await counted(world)
    assert (again.failed, again.retried, again.dead) == (4, 3, 1)
    world.mend("d")
    await world.worker.watch_destinations.redrive("d")
    settled = await counted(world)
    assert (settled.activated, settled.retried, settled.failed) == ({"audience": 1}, 4, 4)
    assert (settled.latency.count, settled.freshness.count) == (0, 1)


async def test_what_is_refused_is_dead_at_once(world: World) -> None:
    world.sender.failures["d"] = lambda down: ExportTooLargeError(down, "too large")
    await world.handle(item("p", 1, segmentMembership=membership(1)))
    counts = await counted(world)
    assert (counts.failed, counts.retried, counts.dead) == (1, 0, 1)


async def test_what_waits_for_a_destination_is_parked_and_no_attempt(world: World) -> None:
    world.break_down("d")
    for number in range(5):
        await world.handle(item(f"p{number}", 1, segmentMembership=membership(1)), message_id=f"m{number}")
    counts = await counted(world)
    assert (counts.received, counts.failed, counts.parked) == (5, 3, 2)
    await world.retry()
    assert (await counted(world)).parked == 5


async def test_exports_of_a_backfill_have_no_age(world: World) -> None:
    await world.handle(item("p", 1, segmentMembership=membership(1, audience="b")))
    document = DOCUMENT | {"dataflows": [{"id": "d", "audiences": ["a", "b"]}, {"id": "e", "audiences": ["a"]}]}
    await apply_configuration(world.configuration, world.health, parse_configuration_file(document), world.clock)
    await world.run_backfills(after_seconds=120)
    counts = await counted(world)
    assert (counts.activated, counts.latency.count, counts.freshness.count) == ({"backfill": 1}, 0, 0)
    assert counts.received == 0


async def test_each_instance_saves_what_it_counted_once(world: World) -> None:
    other = world.new_worker()
    for worker, count in ((world.worker, 2), (other, 3), (world.worker, 4)):
        worker.runs.received("d", count)
        assert [await worker.runs.flush() for _ in range(2)] == [None, None]
    assert (await counted(world)).received == 9
    assert len(world.runs.rows) == 2
    assert sum(counts.received for _, counts in world.metrics.published) == 9


async def test_what_could_not_be_saved_is_saved_with_the_next(world: World) -> None:
    world.worker.runs.received("d", 1)
    world.runs.failure = StorageError("down")
    assert await world.worker.runs.flush() is world.runs.failure
    await world.clock.sleep(600)
    world.worker.runs.received("d", 2)
    assert await world.worker.runs.flush() is world.runs.failure
    world.runs.failure = None
    assert (await counted(world)).received == 3
    assert sum(counts.received for _, counts in world.metrics.published) == 3
    slots = await world.worker.run_history.read("d", NOW, world.clock() + 1, SLOT)
    assert [slot.counts.received for slot in slots] == [1, 2]


async def test_what_cannot_be_saved_for_a_day_is_given_up(world: World) -> None:
    world.worker.runs.received("d", 1)
    world.runs.failure = StorageError("down")
    assert await world.worker.runs.flush() is not None
    await world.clock.sleep(86_400 + 600)
    assert await world.worker.runs.flush() is not None
    world.runs.failure = None
    assert await world.worker.runs.flush() is None
    assert world.runs.rows == {}


async def test_counting_saves_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "FLUSH_SECONDS", 0)
    world.worker.runs.received("d", 1)
    world.worker.runs.received("d", 1)
    saved = asyncio.Event()
    put = world.runs.put

    async def put_and_tell(*arguments: object) -> None:
        await put(*arguments)  # type: ignore[arg-type]
        saved.set()

    monkeypatch.setattr(world.runs, "put", put_and_tell)
    await asyncio.wait_for(saved.wait(), 10)
    (counts,) = await world.worker.run_history.read("d", NOW, NOW + 1, SLOT)
    assert counts.counts.received == 2


async def test_a_save_that_failed_is_tried_again_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "FLUSH_SECONDS", 0)
    tried = asyncio.Event()
    put = world.runs.put

    async def put_at_the_second_time(*arguments: object) -> None:
        if world.runs.failure is None:
            world.runs.failure = StorageError("down")
            raise world.runs.failure
        world.runs.failure = None
        await put(*arguments)  # type: ignore[arg-type]
        tried.set()

    monkeypatch.setattr(world.runs, "put", put_at_the_second_time)
    world.worker.runs.received("d", 1)
    await asyncio.wait_for(tried.wait(), 10)
    assert len(world.runs.rows) == 1


async def test_a_slot_is_the_time_of_what_is_counted(world: World) -> None:
    world.clock.now = NOW + 9 * MINUTE
    world.worker.runs.received("d", 1)
    world.clock.now = NOW + 11 * MINUTE
    world.worker.runs.received("d", 2)
    await world.worker.runs.flush()
    assert {start: slot_of(start) for _, start, _ in world.runs.rows} == {NOW: NOW, NOW + SLOT: NOW + SLOT}


async def test_a_clock_that_is_set_back_over_a_slots_start_takes_nothing_back(world: World) -> None:
    for minute in (9, 11, 9):
        world.clock.now = NOW + minute * MINUTE
        world.worker.runs.received("d", 1)
        await world.worker.runs.flush()
    slots = await world.worker.run_history.read("d", NOW, NOW + 2 * SLOT, SLOT)
    assert [slot.counts.received for slot in slots] == [2, 1]


async def test_what_is_outdated_is_forgotten(world: World) -> None:
    world.worker.runs.received("d", 1)
    await world.worker.runs.flush()
    await world.clock.sleep(KEPT_DAYS * 86_400)
    assert await world.worker.run_history.forget_outdated() == 0
    await world.clock.sleep(86_400)
    assert await world.worker.run_history.forget_outdated() == 1
    assert world.runs.rows == {}


async def test_a_save_in_the_background_that_failed_is_told_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "FLUSH_SECONDS", 0.0)
    saved = asyncio.Event()

    async def fail(*_: object) -> None:
        saved.set()
        raise StorageError("table Runs: could not upsert")

    monkeypatch.setattr(world.runs, "put", fail)
    world.worker.runs.failed("d")
    await saved.wait()
    assert world.worker.runs._flushing is not None
    await world.worker.runs._flushing
    problem = world.worker.runs.take_problem()
    assert str(problem) == "table Runs: could not upsert"
    monkeypatch.undo()
    await world.worker.runs.flush()
    assert world.worker.runs.take_problem() is None
