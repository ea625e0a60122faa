"""A timer that stops is noticed by others, and told of once; what cannot wait is done without it."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

import pytest

from shared.domain.alerts.rule import THE_APP
from shared.domain.alerts.rules import overdue_rule
from shared.domain.instants import DAY, MINUTE, SECOND
from shared.domain.timers import TIMERS, TimerRun, state_of
from shared.errors import StorageError
from shared.services.standing_in import StoodIn
from shared.settings import Settings
from tests.kit.app_settings import DEPLOYED
from tests.kit.builders import NOW, item, membership
from tests.kit.world import World

EACH_MINUTE = "0 * * * * *"
QUALIFIES = {"segmentMembership": membership(1)}
HOUR = 60 * MINUTE
MIDNIGHT = NOW - NOW % DAY


def overdue(schedule: str, since: int, now: int) -> float:
    state = state_of(TimerRun("t", schedule, since=since), now)
    assert state is not None
    return state.overdue_seconds


def test_a_run_is_missed_after_two_minutes_or_a_twelfth_of_the_pause() -> None:
    assert overdue(EACH_MINUTE, MIDNIGHT, MIDNIGHT + 3 * MINUTE) == 0
    assert overdue(EACH_MINUTE, MIDNIGHT, MIDNIGHT + 3 * MINUTE + SECOND) == 1
    assert overdue("*/30 * * * * *", MIDNIGHT, MIDNIGHT + 150 * SECOND) == 0
    assert overdue("*/30 * * * * *", MIDNIGHT, MIDNIGHT + 151 * SECOND) == 1


def test_no_sweep_for_26_hours_is_one_too_few() -> None:
    ran = MIDNIGHT + 3 * HOUR
    assert overdue("0 0 3 * * *", ran, ran + 26 * HOUR) == 0
    assert overdue("0 0 3 * * *", ran, ran + 26 * HOUR + SECOND) == 1


def test_a_night_without_runs_is_none_where_the_schedule_says_so() -> None:
    evening = MIDNIGHT + 17 * HOUR + 59 * MINUTE
    assert overdue("0 * 9-17 * * *", evening, MIDNIGHT + DAY + 9 * HOUR) == 0
    assert overdue("0 0 0 1 1 *", evening, evening + 300 * DAY) == 0


def test_a_schedule_is_read_in_the_time_zone_that_the_host_reads_it_in() -> None:
    run = TimerRun("t", "0 0 3 * * *", since=MIDNIGHT)
    berlin = state_of(run, MIDNIGHT, ZoneInfo("Europe/Berlin"))
    assert berlin is not None
    assert berlin.due_at == MIDNIGHT + 2 * HOUR
    assert Settings.from_environment({"TZ": "Europe/Berlin"}).time_zone == ZoneInfo("Europe/Berlin")
    assert Settings.from_environment({"TZ": "../x"}).time_zone.utcoffset(None) is not None


def test_what_is_no_schedule_has_no_state() -> None:
    assert state_of(TimerRun("t", "often", since=NOW), NOW) is None


@pytest.fixture
async def world() -> World:
    """All timers have run just now."""
    world = World(settings=Settings.from_environment(DEPLOYED))
    for timer in TIMERS:
        await world.worker.timers.ran(timer)
    return world


async def look(world: World, after_seconds: float) -> StoodIn:
    """What a queue message brings to light after that time."""
    await world.clock.sleep(after_seconds)
    outcome = StoodIn()
    await world.worker.stand_in.look(outcome)
    return outcome


def names(outcome: StoodIn) -> set[str]:
    return {state.run.name for state in outcome.overdue}


def opened(outcome: StoodIn) -> list[str]:
    return [told["rule"] for told in outcome.alerts.told if told["event"] == "opened"]


FREQUENT = {*TIMERS} - {"sweep_profiles"}


async def test_timers_that_run_are_looked_after_once_a_minute_without_a_word(world: World) -> None:
    for _ in range(30):
        for timer in TIMERS:
            await world.worker.timers.ran(timer)
        outcome = await look(world, 20)
        assert (outcome.overdue, outcome.alerts.told) == ([], [])
    assert world.timers.loads == 9  # of ten minutes, the first of which but one is left to the timers


async def test_when_all_have_stopped_each_is_told_of_by_one_alert(world: World) -> None:
    outcome = await look(world, 300)
    assert names(outcome) == FREQUENT
    assert set(opened(outcome)) == {overdue_rule(timer) for timer in FREQUENT}
    assert {told["destinationId"] for told in outcome.alerts.told} == {THE_APP}
    again = await look(world, 61)
    assert (names(again), again.alerts.told) == (FREQUENT, [])
    later = await look(world, 27 * 3_600)
    assert opened(later) == [overdue_rule("sweep_profiles")]


async def test_an_alert_is_over_when_its_timer_runs_again(world: World) -> None:
    await look(world, 300)
    for timer in TIMERS:
        await world.worker.timers.ran(timer)
    run = StoodIn()
    await world.worker.evaluate_alerts.run(run.alerts)
    assert {told["event"] for told in run.alerts.told} == {"resolved"}
    assert len(run.alerts.told) == len(FREQUENT)


async def test_one_worker_of_many_does_the_work(world: World) -> None:
    other = world.new_worker()
    await world.clock.sleep(300)
    first, second = StoodIn(), StoodIn()
    await world.worker.stand_in.look(first)
    await other.stand_in.look(second)
    assert first.alerts.told
    assert second.alerts.told == []
    assert names(second) == FREQUENT


async def test_a_destination_that_answers_again_is_found_out_without_the_watch(world: World) -> None:
    """It was down for a minute; new exports go out again, and those that were parked, with no timer at all."""
    world.break_down("d")
    for number in range(4):
        await world.handle(item(f"p{number}", 1, **QUALIFIES), message_id=f"m{number}")
    await world.retry()
    world.mend("d")
    parked = {
        profile for (destination, profile), state in world.rows.items() if destination == "d" and state == "parked"
    }
    assert parked
    outcome = await look(world, 300)
    assert outcome.watched.done["d", "answers again"] == 1
    assert world.health.troubles["d"].recovering
    await world.clock.sleep(60)
    await world.handle(item("new", 1, **QUALIFIES), message_id="new")
    assert ("d", "new") in {(export.destination.id, export.profile_id) for export in world.sender.sent}
    await look(world, 60)
    assert world.rows == {}


async def test_a_timer_that_never_ran_counts_from_when_it_was_first_missed() -> None:
    world = World(settings=Settings.from_environment(DEPLOYED))
    assert names(await look(world, 121)) == set()
    assert names(await look(world, 300)) == FREQUENT
    assert world.timers.runs["run_backfill"].ran_at == 0


async def test_another_schedule_counts_from_when_it_is_known(world: World) -> None:
    seldom = Settings.from_environment(DEPLOYED | {"WATCH_SCHEDULE": "0 0 0 1 1 *"})
    await World.new_worker(world).timers.states()
    world.settings = seldom
    (watch,) = [each for each in await world.new_worker().timers.states() if each.run.name == "watch_destinations"]
    assert (watch.overdue_seconds, world.timers.runs["watch_destinations"].schedule) == (0, "0 0 0 1 1 *")


def settings_of(changed: Mapping[str, str]) -> Settings:
    return Settings.from_environment(DEPLOYED | dict(changed))


@pytest.mark.parametrize("zone", ["Nowhere/Atlantis", "../etc", ""])
def test_a_time_zone_that_is_none_stops_nothing(zone: str) -> None:
    assert str(settings_of({"TZ": zone}).time_zone) == "UTC"


@pytest.mark.parametrize(
    "changed", [{"WATCH_SCHEDULE": "often"}, {"WATCH_SCHEDULE": ""}, {"AzureWebJobs.watch_destinations.Disabled": "1"}]
)
async def test_one_that_cannot_run_is_not_missed_but_a_wrong_setting(changed: Mapping[str, str]) -> None:
    world = World(settings=settings_of(changed))
    await look(world, 121)
    outcome = await look(world, 300)
    wrong = "WATCH_SCHEDULE" in changed
    assert names(outcome) == FREQUENT - (
        {"watch_destinations", "drain_poison_queues"} if wrong else {"watch_destinations"}
    )
    assert ("wrong-settings" in opened(outcome)) is wrong


async def test_storage_that_fails_opens_nothing_and_is_asked_again_a_minute_later(world: World) -> None:
    class Failing:
        async def load(self) -> Mapping[str, TimerRun]:
            raise StorageError("table Configuration: could not read: HTTP 503")

    worker = world.new_worker(timers=Failing())
    await world.clock.sleep(300)
    with pytest.raises(StorageError):
        await worker.stand_in.look(StoodIn())
    await worker.stand_in.look(StoodIn())  # not within the same minute
