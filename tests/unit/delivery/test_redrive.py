"""Redriving what people ask for: one row at once, all of a destination by the timer, whatever happens meanwhile."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from shared.domain.exports.recovery import GOES_ON_WITHIN, Recovery, RecoveryProgress
from shared.domain.exports.undelivered import UndeliveredState
from shared.domain.instants import MINUTE, SECOND
from shared.domain.profile_key import profile_key
from shared.errors import ConflictError, ExportTooLargeError, NotUndeliveredError, StorageError
from shared.ports.health import DestinationTrouble, RedriveRequest
from shared.ports.undelivered import StoredUndelivered
from shared.services.delivery.attempts import Attempt
from shared.services.delivery.note_recovery import NoteRecovery
from shared.services.delivery.redrive_pass import FAILURES_TO_STOP_AT
from shared.views.undelivered import UndeliveredCountView
from tests.kit.builders import NOW, configuration, item, membership, told
from tests.kit.world import CACHE_SECONDS, DOCUMENT, SETTINGS, World

QUALIFIES = {"segmentMembership": membership(1)}
KEY = profile_key("p")
GRACE = 2 * CACHE_SECONDS
HOUR = 60 * MINUTE


@pytest.fixture
def world() -> World:
    return World()


async def fail(world: World, *profile_ids: str, too_large: bool = False) -> None:
    """The profiles qualify, and d does not hear of it."""
    if too_large:
        world.sender.failures["d"] = lambda down: ExportTooLargeError(down, "too large")
    else:
        world.break_down("d")
    for profile_id in profile_ids or ("p",):
        await world.handle(item(profile_id, 1, **QUALIFIES), message_id=f"m-{profile_id}")
    world.sender.sent.clear()


async def park(world: World) -> None:
    """The breaker of d opens, and what d is to hear of p is parked."""
    await fail(world, "1", "2", "3", "p")
    assert world.rows["d", "p"] == "parked"
    world.retries.waiting.clear()


async def pause(world: World, destination_id: str, *, enabled: bool) -> None:
    dataflow = {"id": destination_id, "audiences": ["a"], "enabled": enabled}
    document = DOCUMENT | {"dataflows": [dataflow, {"id": "e", "audiences": ["a"]}]}
    revision = (await world.configuration.load()).configuration.revision + 1
    current = configuration(document).model_copy(update={"revision": revision, "requested_backfills": []})
    world.configuration.put(current)
    await world.clock.sleep(CACHE_SECONDS)


async def watch(world: World, after_seconds: float = 30) -> dict[str, dict[str, int]]:
    await world.clock.sleep(after_seconds)
    return (await world.worker.watch_destinations.run()).summary()


async def test_one_row_is_tried_whatever_its_state(world: World) -> None:
    redrive = world.worker.watch_destinations.redrive_one
    with pytest.raises(NotUndeliveredError):
        await redrive("d", KEY)
    await fail(world)
    assert await redrive("d", KEY) == Attempt.FAILED
    assert await redrive("d", KEY) == Attempt.FAILED
    assert world.rows == {("d", "p"): "dead"}
    world.health.troubles.clear()
    world.mend("d")
    assert await redrive("d", KEY) == Attempt.SENT
    assert (world.rows, told(world.sender.sent)) == ({}, [("d", "audience")])
    assert {attempt for attempt, _ in await world.retry()} == {Attempt.OUTDATED}


async def test_one_row_that_is_too_large_is_refused_until_it_is_not(world: World) -> None:
    await fail(world, too_large=True)
    assert await world.worker.watch_destinations.redrive_one("d", KEY) == Attempt.REFUSED
    assert world.rows == {("d", "p"): "dead"}
    world.mend("d")
    assert await world.worker.watch_destinations.redrive_one("d", KEY) == Attempt.SENT


async def test_one_row_of_a_paused_dataflow_waits_for_it(world: World) -> None:
    await fail(world)
    world.mend("d")
    await pause(world, "d", enabled=False)
    assert await world.worker.watch_destinations.redrive_one("d", KEY) == Attempt.PARKED
    assert (world.rows, world.sender.sent) == ({("d", "p"): "parked"}, [])
    await pause(world, "d", enabled=True)
    assert (await watch(world))["d"]["sent"] == 1


async def test_one_row_of_a_destination_that_is_down_is_a_probe(world: World) -> None:
    await park(world)
    redrive = world.worker.watch_destinations.redrive_one
    assert await redrive("d", KEY) == Attempt.FAILED
    assert not world.health.troubles["d"].recovering
    world.mend("d")
    assert await redrive("d", KEY) == Attempt.KEPT
    assert (world.health.troubles["d"].recovering, told(world.sender.sent)) == (True, [("d", "audience")])
    assert world.rows["d", "p"] == "parked"
    assert await redrive("d", KEY) == Attempt.KEPT

    await world.clock.sleep(GRACE)
    assert await redrive("d", KEY) == Attempt.SENT
    assert ("d", "p") not in world.rows


async def test_a_row_that_is_parked_while_it_is_sent_stays(world: World) -> None:
    """A worker finds the destination down just then, parks the same version, and counts on the row for the next."""
    await fail(world)
    world.mend("d")
    delete = world.undelivered.delete

    async def beaten(undelivered: StoredUndelivered) -> None:
        world.undelivered.delete = delete  # type: ignore[method-assign]
        parked = replace(undelivered.row, state=UndeliveredState.PARKED)
        await world.undelivered.save(StoredUndelivered(parked, undelivered.etag))
        await delete(undelivered)

    world.undelivered.delete = beaten  # type: ignore[method-assign]
    assert await world.worker.watch_destinations.redrive_one("d", KEY) == Attempt.SENT
    assert world.rows == {("d", "p"): "parked"}


async def test_a_probe_that_is_too_large_is_told_and_the_hub_answers(world: World) -> None:
    await park(world)
    world.sender.failures["d"] = lambda down: ExportTooLargeError(down, "too large")
    assert await world.worker.watch_destinations.redrive_one("d", KEY) == Attempt.REFUSED
    assert world.health.troubles["d"].recovering


async def test_a_row_that_was_parked_just_now_is_not_taken_from_who_counts_on_it(world: World) -> None:
    """The worker that parked it may not have got round to saying that the destination is down."""
    await park(world)
    world.health.troubles.clear()
    world.mend("d")
    assert await world.new_worker().watch_destinations.redrive_one("d", KEY) == Attempt.KEPT
    assert world.rows["d", "p"] == "parked"


async def test_news_of_an_outage_are_not_overwritten_by_a_probe(world: World) -> None:
    await park(world)
    world.mend("d")
    later = DestinationTrouble("d", recovering=False, since=NOW + 1, error="down again")

    async def meanwhile(trouble: DestinationTrouble) -> None:
        await world.health.put(later)
        raise ConflictError("somebody else saved the row first")

    world.health.replace = meanwhile  # type: ignore[method-assign]
    assert await world.worker.watch_destinations.redrive_one("d", KEY) == Attempt.KEPT
    assert world.health.troubles == {"d": later}


async def test_a_request_is_carried_out_by_the_timer_and_leaves_the_hot_path_alone(world: World) -> None:
    await fail(world, "p", "q", too_large=True)
    world.mend("d")
    assert await watch(world) == {}

    asked = await world.worker.watch_destinations.request_redrive("d")

    assert asked == RedriveRequest("d", world.clock())
    outcome = await world.handle(item("r", 1, **QUALIFIES), message_id="r")
    assert outcome.summary()["exported"] == {"d": {"audience": 1}, "e": {"audience": 1}}
    assert await watch(world) == {"d": {"sent": 2, "redriven as requested": 1}}
    assert (world.rows, world.health.redrives) == ({}, {})
    assert await watch(world) == {}


async def test_a_request_ends_though_the_hub_refuses_some_for_good(world: World) -> None:
    await fail(world, *(f"p{number}" for number in range(3 * FAILURES_TO_STOP_AT)), too_large=True)
    await world.worker.watch_destinations.request_redrive("d")
    assert await watch(world) == {"d": {"refused": 9, "redriven as requested": 1}}
    assert await watch(world) == {}


async def test_a_request_goes_on_where_failures_stopped_it(world: World) -> None:
    await fail(world, *(f"p{number}" for number in range(5)), too_large=True)
    world.break_down("d")
    await world.worker.watch_destinations.request_redrive("d")
    assert await watch(world) == {"d": {"failed": 3}}
    assert await watch(world) == {"d": {"still down": 1}}
    world.mend("d")
    assert await watch(world) == {"d": {"answers again": 1}}
    assert await watch(world, GRACE) == {"d": {"sent": 2, "healthy": 1, "redriven as requested": 1}}
    assert [attempt for attempt, _ in await world.retry()] == [Attempt.SENT] * 3, "what had failed otherwise by then"
    assert (world.rows, world.health.redrives) == ({}, {})


async def test_a_request_waits_while_its_destination_is_down_or_paused(world: World) -> None:
    await fail(world, too_large=True)
    await world.health.put(DestinationTrouble("d", recovering=False, since=NOW, error="down"))
    await world.worker.watch_destinations.request_redrive("d")
    world.mend("d")
    assert await watch(world) == {"d": {"half-open": 1}}
    assert await watch(world, GRACE) == {"d": {"nothing fails": 1}}
    assert await watch(world) == {"d": {"recovering": 1}}
    assert world.health.redrives.keys() == {"d"}
    await pause(world, "d", enabled=False)
    assert await watch(world, GRACE) == {}
    await pause(world, "d", enabled=True)
    assert (await watch(world))["d"] == {"sent": 1, "healthy": 1, "redriven as requested": 1}


async def test_a_breaker_that_opens_does_not_lose_the_request(world: World) -> None:
    await fail(world, too_large=True)
    await world.worker.watch_destinations.request_redrive("d")
    await park(world)
    world.mend("d")
    assert (await watch(world))["d"] == {"answers again": 1}
    assert (await watch(world, GRACE))["d"]["redriven as requested"] == 1
    assert ("d", "p") not in world.rows


async def test_a_request_made_during_a_run_gets_a_run_of_its_own(world: World) -> None:
    await fail(world, too_large=True)
    await world.worker.watch_destinations.request_redrive("d")
    of = world.undelivered.of

    async def meanwhile(destination_id: str) -> AsyncIterator[StoredUndelivered]:
        async for stored in of(destination_id):
            yield stored
        world.undelivered.of = of  # type: ignore[method-assign]
        await world.worker.watch_destinations.request_redrive("d")

    world.undelivered.of = meanwhile  # type: ignore[method-assign]
    assert await watch(world) == {"d": {"refused": 1}}
    assert world.health.redrives.keys() == {"d"}
    assert await watch(world) == {"d": {"refused": 1, "redriven as requested": 1}}


async def test_what_is_undelivered_is_listed_and_counted(world: World) -> None:
    await fail(world, "p", "q", too_large=True)
    await world.worker.watch_destinations.request_redrive("d")
    exports = world.worker.undelivered_exports
    first = await exports.page("d", UndeliveredState.DEAD, most=1)
    second = await exports.page("d", UndeliveredState.DEAD, first.next, most=1)
    assert sorted(row.profile_id for row in (*first.rows, *second.rows)) == ["p", "q"]
    assert second.next is None
    assert (await exports.get("d", KEY), await exports.get("e", KEY)) == (world.undelivered.rows["d", KEY][0], None)
    counts = await exports.counts()
    assert {destination_id: UndeliveredCountView.of(count).document() for destination_id, count in counts.items()} == {
        "d": {"states": {"dead": 2}, "total": 2, "complete": True},
        "e": {"states": {}, "total": 0, "complete": True},
    }
    assert (await exports.redrives()).keys() == {"d"}


async def test_a_request_for_who_is_gone_ends(world: World) -> None:
    await world.worker.watch_destinations.request_redrive("gone")
    assert await watch(world) == {"gone": {"redriven as requested": 1}}


async def test_how_far_it_is_is_noted_over_runs_until_nothing_is_left() -> None:
    world = World(settings=replace(SETTINGS, redrive_per_second=1))
    await fail(world, *map(str, range(200)))
    world.mend("d")
    await world.worker.watch_destinations.request_redrive("d")
    world.health.troubles.clear()
    began = world.clock() + 180 * SECOND

    async def progress() -> RecoveryProgress:
        exports = world.worker.undelivered_exports
        (found,) = await exports.recoveries(await exports.counts(), world.clock())
        return found

    first = await watch(world, after_seconds=180)
    assert first["d"]["sent"] > 50
    halfway = await progress()
    assert (halfway.recovery.settled, halfway.total) == (first["d"]["sent"], 200)
    assert halfway.recovery.since == began
    assert halfway.per_second == pytest.approx(1, rel=0.1)
    assert halfway.seconds_left == pytest.approx(halfway.left, rel=0.1)

    sent = first["d"]["sent"]
    while world.health.noted:
        sent += (await watch(world, after_seconds=5))["d"]["sent"]
    assert sent == sum(export.destination.id == "d" for export in world.sender.sent)
    assert set(world.rows.values()) <= {"retrying"}, "those have their own pointers"


async def test_what_goes_at_once_is_not_noted(world: World) -> None:
    await park(world)
    world.mend("d")
    world.health.note_recovery = refuses  # type: ignore[assignment,method-assign]
    await watch(world)
    assert (await watch(world, GRACE))["d"]["sent"] == 1
    assert ("d", "p") not in world.rows


async def test_a_redrive_goes_on_though_it_cannot_be_noted() -> None:
    world = World(settings=replace(SETTINGS, redrive_per_second=1))
    await fail(world, *map(str, range(20)))
    world.mend("d")
    world.health.troubles.clear()
    world.health.note_recovery = fails  # type: ignore[assignment,method-assign]
    assert (await watch(world, after_seconds=180))["d"]["sent"] == 17
    assert set(world.rows.values()) == {"retrying"}


async def test_one_that_was_not_heard_of_for_long_begins_anew(world: World) -> None:
    earlier = Recovery("d", NOW - HOUR, NOW - GOES_ON_WITHIN, settled=1_000)
    note = NoteRecovery(world.health, world.clock, "d", earlier)
    await note.settled(3)
    await note.note()
    assert world.health.noted["d"] == Recovery("d", NOW, NOW, settled=3)
    goes_on = NoteRecovery(world.health, world.clock, "d", replace(earlier, at=NOW - 1))
    await goes_on.settled(3)
    await goes_on.note()
    assert world.health.noted["d"] == Recovery("d", NOW - HOUR, NOW, settled=1_003)


async def fails(_recovery: Recovery) -> None:
    raise StorageError("table Configuration: could not upsert: no answer")


async def refuses(_recovery: Recovery) -> None:
    raise AssertionError("expected no note")
