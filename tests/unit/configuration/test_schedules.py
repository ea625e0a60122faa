"""Mapped audiences with a time: at its start they count as mapped then, at its end as unmapped."""

from typing import Any

import pytest

from shared.domain.configuration.model import Configuration, parse_configuration_file
from shared.domain.configuration.plan import Plan, plan_changes
from shared.domain.configuration.schedules import schedules_due
from shared.domain.configuration.targets import Targets
from shared.domain.instants import MILLISECOND, MINUTE, YEAR_2000_MS, format_instant
from shared.errors import ConfigurationError
from shared.services.configuration.edit import as_file
from shared.services.configuration.turn_schedules import TurnSchedules
from tests.kit.builders import destination
from tests.kit.world import World

HOUR = 60 * MINUTE
HOUR_MS = HOUR // MILLISECOND
START, END = YEAR_2000_MS + 10 * HOUR_MS, YEAR_2000_MS + 20 * HOUR_MS
KEY = ("ups", "christmas")


def file(*audiences: Any, **fields: Any) -> Any:
    return {"destinations": [destination("d")], "dataflows": [{"id": "d", "audiences": list(audiences), **fields}]}


SCHEDULED = {"id": "christmas", "activeFrom": START, "activeUntil": END}


def applied(document: Any, at: int, before: Configuration | None = None) -> Plan:
    return plan_changes(before or Configuration(), parse_configuration_file(document), at)


def turned(before: Configuration, at: int) -> Plan:
    return plan_changes(before, as_file(before), at, prune=True)


def mapped(configuration: Configuration) -> set[str]:
    return {audience_id for _, audience_id in Targets.of(configuration).by_id["d"].mapped}


def test_it_is_mapped_from_its_start_until_its_end() -> None:
    before = applied(file("a", SCHEDULED), 1).configuration
    assert mapped(before) == {"a"}
    assert not schedules_due(before, START - 1)
    assert not turned(before, START - 1).changes_something
    assert schedules_due(before, START)
    begun = turned(before, START)
    (backfill,) = begun.backfills
    assert [audience.key for audience in backfill.audiences or []] == [KEY]
    assert mapped(begun.configuration) == {"a", "christmas"}
    (christmas,) = (each for each in begun.configuration.dataflows[0].audiences if each.key == KEY)
    assert christmas.mapping_created_at == christmas.mapping_updated_at == START
    assert begun.configuration.revisions["d"] == before.revisions["d"] + 1
    assert not schedules_due(begun.configuration, END - 1)
    ended = turned(begun.configuration, END)
    assert (ended.backfills, mapped(ended.configuration)) == ([], {"a"})
    assert ended.configuration.dataflows == before.dataflows
    over = "is over, which count as unmapped: ups/christmas since 2000-01-01T20:00:00Z"
    assert any(over in warning for warning in ended.warnings)
    assert not schedules_due(ended.configuration, END + 1)


def test_the_file_applied_again_changes_nothing_in_between() -> None:
    configuration = applied(file("a", SCHEDULED), 1).configuration
    assert not applied(file("a", SCHEDULED), START - 1, configuration).changes_something
    # Whichever comes first, the timer or somebody who applies, turns it.
    plan = applied(file("a", SCHEDULED), START, configuration)
    assert (len(plan.backfills), mapped(plan.configuration)) == (1, {"a", "christmas"})
    assert not applied(file("a", SCHEDULED), END - 1, plan.configuration).changes_something


def test_a_new_start_after_the_end_maps_it_once_more() -> None:
    configuration = applied(file("a", SCHEDULED), START).configuration
    configuration = turned(configuration, END).configuration
    again = applied(file("a", SCHEDULED | {"activeFrom": END, "activeUntil": None}), END + 1, configuration)
    (backfill,) = again.backfills
    assert [audience.key for audience in backfill.audiences or []] == [KEY]
    assert again.configuration.dataflows[0].audiences[1].mapping_created_at == END + 1


def test_a_start_within_a_pause_is_caught_up_on_at_the_end_of_it() -> None:
    configuration = applied(file("a", SCHEDULED), 1).configuration
    configuration = applied(file("a", SCHEDULED, enabled=False), 2, configuration).configuration
    begun = turned(configuration, START)
    assert begun.backfills == []
    (resumed,) = applied(file("a", SCHEDULED), START + 1, begun.configuration).backfills
    assert [audience.key for audience in resumed.new] == [KEY]


def test_a_dataflow_of_scheduled_audiences_alone_is_not_backfilled_before() -> None:
    plan = applied(file(SCHEDULED), 1)
    assert (plan.backfills, mapped(plan.configuration)) == ([], set())
    assert len(turned(plan.configuration, START).backfills) == 1


def test_without_a_schedule_everything_is_as_before() -> None:
    configuration = applied(file("a"), 1).configuration
    assert configuration.model_dump_json(by_alias=True, exclude_defaults=True).count("active") == 0
    assert not schedules_due(configuration, END)


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="expected activeUntil to be later than activeFrom"):
        parse_configuration_file(file({"id": "a", "activeFrom": END, "activeUntil": START}))


@pytest.mark.parametrize("name", ["activeFrom", "activeUntil"])
@pytest.mark.parametrize("time", [START // 1_000, 0, "1999-12-31T23:59:59Z"])
def test_a_time_in_seconds_is_refused_instead_of_taken_for_one_of_long_ago(name: str, time: int | str) -> None:
    with pytest.raises(ConfigurationError, match=rf"/audiences/0/{name}: expected ISO 8601 or milliseconds since 1970"):
        parse_configuration_file(file({"id": "a", name: time}))


async def test_the_timer_turns_what_is_due_and_saves_nothing_else() -> None:
    world = World()
    start = world.clock() + HOUR
    soon = {"id": "christmas", "activeFrom": format_instant(start)}
    stored = await world.configuration.load()
    plan = plan_changes(stored.configuration, parse_configuration_file(file("a", soon)), world.clock() // MILLISECOND)
    await world.configuration.save(plan.configuration, stored.etag)
    turn = TurnSchedules(edit=world.worker.edit_configuration, clock=world.clock)
    assert await turn.run() == []
    assert (await world.configuration.load()).configuration == plan.configuration
    world.clock.now = start
    summary = await turn.run()
    assert summary[0] == "dataflow d changed"
    assert len((await world.configuration.load()).configuration.requested_backfills) == len(plan.backfills) + 1
    assert await turn.run() == []
