"""Silence, replayed: weeks of traffic with nights, weekends and a holiday, judged at each ten minutes."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from shared.domain.alerts.rule import Facts, RuleState
from shared.domain.alerts.rules import RULES
from shared.domain.alerts.silence import BEFORE, SILENT_FOR, missing_changes
from shared.domain.instants import DAY, MINUTE
from shared.domain.messages.queue_kind import QueueKind
from shared.domain.runs import NO_DESTINATION, QUARANTINED, SLOT, RunCounts, RunSlot, slot_of
from shared.services.alerts.evaluate import AlertRun
from tests.kit.world import World

HOUR = 60 * MINUTE
WARM_UP, JUDGED = 28, 30
HOLIDAY = WARM_UP + 9  # a Wednesday, where day 0 is a Monday
OUTAGE = (WARM_UP + 15) * DAY + 12 * HOUR  # a Tuesday, at noon
FOUND_WITHIN = SILENT_FOR + SLOT
Traffic = dict[int, int]


def office(seed: int, per_hour: int, stopped: Callable[[int], bool] = lambda _: False) -> Traffic:
    """Changes by slot: people who come and go about half an hour early or late, and a few on weekend mornings."""
    chance, traffic = random.Random(seed), Traffic()
    for day in range(WARM_UP + JUDGED):
        begins = day * DAY + 8 * HOUR + chance.randint(-30, 30) * MINUTE
        ends = day * DAY + 18 * HOUR + chance.randint(-30, 30) * MINUTE
        for at in range(day * DAY, (day + 1) * DAY, SLOT):
            works = begins <= at < ends and day % 7 < 5 and day != HOLIDAY
            calls = not works and 9 * HOUR <= at % DAY < 12 * HOUR and chance.random() < 0.1
            count = sum(chance.random() < 0.5 for _ in range(per_hour // 3)) if works else int(calls)
            traffic[at] = 0 if stopped(at) else count
    return traffic


def alarms(traffic: Traffic) -> list[int]:
    """When the alert opened."""
    opened, open_now, rule = [], False, RULES["no-changes"]
    for now in range(WARM_UP * DAY, (WARM_UP + JUDGED) * DAY, SLOT):
        before = [[traffic[at - ago] for at in range(now - SILENT_FOR, now, SLOT)] for ago in BEFORE]
        lately = [traffic[at] for at in range(now - SILENT_FOR, now, SLOT)]
        fires = rule.evaluate(Facts(missing_changes=missing_changes(lately, before))) == RuleState.FIRING
        if fires and not open_now:
            opened.append(now)
        open_now = fires
    return opened


@pytest.mark.parametrize("per_hour", [30, 60, 600])
@pytest.mark.parametrize("seed", range(5))
def test_a_month_has_one_false_alarm_at_most_which_is_the_holiday(seed: int, per_hour: int) -> None:
    found = alarms(office(seed, per_hour))
    assert len(found) <= 1
    assert [at // DAY for at in found] in ([], [HOLIDAY])


@pytest.mark.parametrize("per_hour", [30, 60, 600])
@pytest.mark.parametrize("seed", range(5))
def test_silence_from_a_weekdays_noon_on_is_found_in_time(seed: int, per_hour: int) -> None:
    found = alarms(office(seed, per_hour, stopped=lambda at: OUTAGE <= at < OUTAGE + 6 * HOUR))
    assert [at for at in found if OUTAGE <= at <= OUTAGE + FOUND_WITHIN]


@pytest.mark.parametrize(
    ("lately", "before", "missing"),
    [
        ([0] * 12, [], 0),
        ([0] * 12, [[5] * 12, [4] * 12, [0] * 12], 48),
        ([0] * 12, [[5] * 12, [0] * 12, [0] * 12], 0),
        ([0] * 12, [[500, *[0] * 11]] * 3, 0),
        ([0] * 12 + [1], [[5] * 12] * 3, 59),
        ([0] * 12 + [6], [[5] * 12] * 3, 0),
        ([1, 0] * 6 + [1], [[5_000] * 12] * 3, 0),
    ],
)
def test_what_is_missed(lately: list[int], before: list[list[int]], missing: int) -> None:
    assert missing_changes(lately, before) == missing


async def test_the_app_compares_with_what_it_counted() -> None:
    world = World()
    now = slot_of(world.clock())
    for ago in BEFORE[:2]:
        for at in range(now - ago - SILENT_FOR, now - ago, SLOT):
            await world.runs.put(NO_DESTINATION, RunSlot(at, RunCounts(received=5)), "instance")
    told = AlertRun()
    await world.worker.evaluate_alerts.run(told)
    found = [(each["event"], each["value"]) for each in told.told if each["rule"] == "no-changes"]
    assert found == [("opened", 60)]
    await world.runs.put(NO_DESTINATION, RunSlot(now, RunCounts(received=6)), "instance")
    await world.clock.sleep(1)
    told = AlertRun()
    await world.worker.evaluate_alerts.run(told)
    assert [each["event"] for each in told.told if each["rule"] == "no-changes"] == ["resolved"]


async def opened(world: World, rule: str) -> list[float]:
    """The values with which alerts of this rule open now."""
    told = AlertRun()
    await world.worker.evaluate_alerts.run(told)
    return [each["value"] for each in told.told if (each["rule"], each["event"]) == (rule, "opened")]


async def test_changes_that_nobody_takes_are_told_of() -> None:
    world = World()
    world.queues.put(QueueKind.CHANGES)
    await world.clock.sleep(600)
    assert await opened(world, "changes-waiting") == []
    await world.clock.sleep(1)
    assert await opened(world, "changes-waiting") == [601]


async def test_a_growing_quarantine_is_told_of() -> None:
    world = World()
    counts = RunCounts(received=10, excluded=Counter({QUARANTINED: 1}))
    await world.runs.put(NO_DESTINATION, RunSlot(slot_of(world.clock()), counts), "instance")
    await world.clock.sleep(1)
    assert await opened(world, "quarantine-grows") == [0.1]
