"""The pages on all destinations' backfills, on what comes in, and on who changed what."""

import re

from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState, Slice
from shared.domain.instants import DAY, MINUTE, SECOND
from shared.domain.messages.queue_kind import QueueKind
from shared.domain.runs import NO_DESTINATION, SLOT, RunCounts, RunSlot
from shared.domain.timers import TimerRun
from shared.errors import StorageError
from shared.ports.audit import AuditEntry
from shared.ports.backfills import StoredBackfill, StoredSlice
from shared.ports.health import DestinationTrouble
from shared.settings import Settings
from tests.kit.app_settings import DEPLOYED
from tests.kit.builders import NOW
from tests.kit.console import SAME_ORIGIN, Console
from tests.kit.world import World


async def store(world: World, backfill_id: str, at: int, state: BackfillState, destination_id: str = "d") -> None:
    finished = at + MINUTE if state is BackfillState.DONE else 0
    backfill = Backfill(
        id=backfill_id,
        kind=BackfillKind.BACKFILL if destination_id else BackfillKind.SWEEP,
        state=state,
        requested_at=at,
        due_at=at,
        destination_id=destination_id,
        finished_at=finished,
    )
    await world.backfills.save(StoredBackfill(backfill, None))


async def test_backfills_of_all_destinations_those_under_way_first(console: Console) -> None:
    world = console.world
    await store(world, "ended", NOW - MINUTE, BackfillState.DONE)
    await store(world, "daily", NOW - 2 * MINUTE, BackfillState.RUNNING, "")
    await store(world, "gone", NOW - 3 * MINUTE, BackfillState.WAITING, "removed-since")
    loads = world.configuration.loads
    text = await console.page("/console/backfills")
    assert world.configuration.loads == loads + 1
    places = [
        text.index(each) for each in ("Under way 2", "Sweep: what", "removed-since , removed", "Over 1", "Done D ")
    ]
    assert places == sorted(places)


async def test_of_those_that_are_over_the_newest_are_looked_at(console: Console) -> None:
    for number in range(30):
        await store(console.world, f"b-{number:02}", NOW - number * MINUTE, BackfillState.DONE)
    asked: list[str] = []
    slices = console.world.backfills.slices

    async def noted(backfill_id: str) -> list[object]:
        asked.append(backfill_id)
        return list(await slices(backfill_id))

    console.world.backfills.slices = noted  # type: ignore[assignment]
    assert "5 older ones of the last 30 days" in await console.page("/console/backfills")
    assert sorted(asked) == [f"b-{number:02}" for number in range(25)]


async def test_a_backfill_is_cancelled_where_it_is_seen(console: Console) -> None:
    await store(console.world, "b", NOW, BackfillState.WAITING)
    answer = await console.submit("/console/backfills/b/cancel", {"back": "backfills"})
    assert answer.headers["location"] == "/console/backfills?done=cancelled"
    assert console.world.backfills.rows["b"].backfill.state == BackfillState.CANCELLED


async def test_no_backfill_yet(console: Console) -> None:
    assert "There was none in the last 30 days" in await console.page("/console/backfills")


async def test_what_comes_in(console: Console) -> None:
    world = console.world
    slot = NOW - NOW % SLOT - SLOT
    counts = RunCounts(received=1_200)
    counts.excluded["stale"] = 3
    counts.decided_again["saved by others"] = 2
    await world.runs.put(NO_DESTINATION, RunSlot(slot, counts), "one")
    await world.runs.put(NO_DESTINATION, RunSlot(NOW - 2 * DAY, RunCounts(received=5)), "one")
    text = await console.page("/console/input")
    assert "Changes 1,200 changes" in text
    assert "2.0 changes/s" in text
    assert "3 stale" in text
    assert "2 saved by others" in text
    assert "Changes 1,205 changes" in await console.page("/console/input?span=7d")


async def test_each_queue_is_there_and_what_failed_stands_out(console: Console) -> None:
    world = console.world
    world.queues.put(QueueKind.CHANGES, messages=3)
    world.queues.put(QueueKind.CHANGES, poison=True)
    del world.queues.waiting[QueueKind.RETRIES, False]
    world.clock.now += 90 * SECOND
    text = await console.page("/console/input")
    assert "No change came in that time" in text
    assert "profile-changes changes 3 1 min" in text
    assert "profile-changes-poison changes that failed at every delivery 1 1 min" in text
    assert "retries Missing" in text


async def test_what_is_not_known_for_now_is_said_in_place(console: Console) -> None:
    console.world.queues.failure = StorageError("the queues", "could not count", "HTTP 503")
    text = await console.page("/console/input")
    assert "What waits could not be counted" in text
    assert "Timers" in text


async def test_the_audit_log_by_pages(console: Console) -> None:
    for number in range(101):
        await console.world.audit.begin(AuditEntry(NOW - number * MINUTE, f"somebody {number}", "PUT /api/x"))
    first = await console.get("/console/audit")
    assert "somebody 0<" in first.text
    assert "Cut off" in first.text
    assert "somebody 100<" not in first.text
    older = first.text.split('href="?before=')[1].split('"')[0]
    rest = await console.page(f"/console/audit?before={older}")
    assert "somebody 100" in rest
    assert "somebody 99" not in rest
    assert "There is nothing older" in await console.page(f"/console/audit?before={'9' * 18}-00000000")


async def test_the_audit_log_says_what_came_of_it_in_words(console: Console) -> None:
    for status in (303, 412, 503):
        await console.world.audit.begin(AuditEntry(NOW - status * MINUTE, "ann", "POST /x", status=status))
    text = await console.page("/console/audit")
    assert re.findall("(Done|Refused|Failed) ([0-9]+)", text) == [
        ("Done", "303"),
        ("Refused", "412"),
        ("Failed", "503"),
    ]


async def test_an_upload_is_called_by_its_audience(console: Console) -> None:
    await console.put(
        "/api/audiences/listed", json={"name": "VIP list", "origin": "custom-upload"}, headers=SAME_ORIGIN
    )
    members = {"Content-Type": "text/csv"} | SAME_ORIGIN
    await console.post("/api/audiences/listed/members", content=b"profileId\np\n", headers=members)
    assert "Running VIP list Upload to listed , asked for just now" in await console.page("/console/backfills")


async def test_what_waits_for_a_destination_has_no_time_left(console: Console) -> None:
    world = console.world
    await store(world, "b", NOW - 10 * MINUTE, BackfillState.RUNNING)
    part = Slice("b", 0, share=0.5, members=100, exported=100, updated_at=NOW)
    await world.backfills.save_slice(StoredSlice(part, None))
    assert "left at" in await console.page("/console/backfills")
    await world.health.put(DestinationTrouble("d", recovering=False, since=NOW, error="gone"))
    text = await console.page("/console/backfills")
    assert "It waits: the destination is down" in text
    assert "left at" not in text


async def test_nobody_changed_anything_yet(console: Console) -> None:
    assert "Nobody changed anything yet" in await console.page("/console/audit")


async def test_when_timers_ran() -> None:
    """A world's timers are off, unless its settings let them run."""
    world = World(settings=Settings.from_environment(DEPLOYED))
    await world.timers.put(TimerRun("watch_destinations", "*/30 * * * * *", since=NOW, ran_at=NOW))
    await world.timers.put(TimerRun("run_backfill", "0 * * * * *", since=NOW - DAY, ran_at=NOW - DAY))
    async with Console(world) as console:
        text = await console.page("/console/input")
    assert "watch_destinations */30 * * * * * just now in 30 s" in text
    assert "run_backfill 0 * * * * * 1 d ago Overdue for 23 h" in text
    assert "sweep_profiles 0 0 3 * * * not yet" in text
