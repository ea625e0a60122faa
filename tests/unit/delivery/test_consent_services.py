"""Consent on the whole way over fakes: through retries, outages, pauses, backfills and forgetting."""

import json
from typing import Any

import pytest

from shared.domain.configuration.model import parse_configuration_file
from shared.services.configuration.apply import apply_configuration
from shared.services.delivery.attempts import Attempt
from tests.kit.builders import NOW, destination, item, membership
from tests.kit.world import World

YES, NO = ({"attributes": {"consent": value, "x": "data"}} for value in ("y", "n"))
IN_A, LEFT_A = ({"segmentMembership": membership(1, status)} for status in ("realized", "exited"))
EXIT = {"segmentMembership": {"ups": {"a": {"status": "exited", "lastQualificationTime": "2026-01-11T21:00:01Z"}}}}


@pytest.fixture
async def world() -> World:
    world = World()
    await apply(world)
    await settle(world)
    return world


async def apply(world: World, **dataflow: Any) -> None:
    asks = {"id": "d", "audiences": ["a"], "attributes": ["/x"], "consent": "/consent"} | dataflow
    document = {"destinations": [destination("d")], "dataflows": [asks, {"id": "e", "audiences": []}]}
    await apply_configuration(world.configuration, world.health, parse_configuration_file(document), world.clock)
    await world.clock.sleep(60)


async def settle(world: World) -> None:
    """Time enough for what waits: two runs of the timers, and what they bring."""
    for _ in range(3):
        await world.run_backfills()
        await world.worker.watch_destinations.run()


async def write(world: World, second: int, *fields: dict[str, Any], profile_id: str = "p") -> None:
    for number, each in enumerate(fields):
        await world.handle(item(profile_id, second + number, **each), message_id=f"{profile_id}{second + number}")


def heard(world: World) -> list[tuple[str, str, Any]]:
    """(profile, reasons, the data in it or else "exit") of each export, and forget it."""
    sent = [(each.profile_id, ",".join(each.reasons), shown(each.body)) for each in world.sender.sent]
    assert {each.destination.id for each in world.sender.sent} <= {"d"}
    world.sender.sent.clear()
    return sent


def shown(body: bytes) -> Any:
    document = json.loads(body)
    return "exit" if document == EXIT | {"identityMap": {}} else document.get("x")


async def test_the_whole_way(world: World) -> None:
    await write(world, 1, IN_A, {"attributes": {"x": 1}}, NO)
    assert heard(world) == []
    await write(world, 11, YES, NO, NO)
    assert heard(world) == [("p", "attribute,consent", "data"), ("p", "consent", "exit")]
    await write(world, 21, LEFT_A, IN_A, YES)
    assert heard(world) == [("p", "attribute,consent", "data")]


async def test_who_withdrew_before_the_retry_is_told_of_as_gone(world: World) -> None:
    world.break_down("d")
    await write(world, 1, IN_A | YES)
    await write(world, 2, NO)
    world.mend("d")

    assert [attempt for attempt, _ in await world.retry()] == [Attempt.SENT]

    assert heard(world) == [("p", "audience,attribute,consent", "exit")]
    assert world.rows == {}


async def test_an_outage_keeps_the_withdrawal(world: World) -> None:
    await write(world, 1, IN_A | YES)
    heard(world)
    world.break_down("d")
    await write(world, 2, NO)
    for _ in range(2):
        await world.retry()
    assert world.rows == {("d", "p"): "dead"}
    world.mend("d")
    await settle(world)
    assert heard(world) == [("p", "consent", "exit")] * 2, "the probe, and what it left"
    assert world.rows == {}


async def test_a_withdrawal_during_a_pause_is_told_of_once_on_resume(world: World) -> None:
    for profile_id in ("withdraws", "leaves, withdraws", "withdraws late", "deleted", "and again", "stays"):
        await write(world, 1, IN_A | YES, profile_id=profile_id)
    for profile_id in ("never", "withdrew"):
        await write(world, 1, IN_A, profile_id=profile_id)
    await write(world, 2, YES, NO, profile_id="withdrew")
    await world.clock.sleep(3_600)
    heard(world)
    await apply(world, enabled=False)

    await write(world, 10, NO, {"attributes": {"x": 2}}, NO, profile_id="withdraws")
    await write(world, 10, LEFT_A, NO, profile_id="leaves, withdraws")
    await write(world, 2, NO, profile_id="withdraws late")  # it occurred long before the pause
    await write(world, 10, {"deleted": True}, profile_id="deleted")
    await write(world, 10, NO, YES, profile_id="and again")
    await write(world, 10, {"attributes": {"x": 2}}, NO, profile_id="never")
    await write(world, 10, NO, profile_id="withdrew")
    await write(world, 10, IN_A, YES, profile_id="comes")
    await settle(world)
    assert heard(world) == []

    await apply(world)
    await settle(world)

    sent = sorted(heard(world))
    assert [each for each in sent if each[2] == "exit"] == [
        (profile_id, "consent", "exit")
        for profile_id in ("deleted", "leaves, withdraws", "withdraws", "withdraws late")
    ]
    assert {each[0] for each in sent if each[2] != "exit"} == {"and again", "comes"}
    await settle(world)
    assert (heard(world), world.rows) == ([], {})


async def test_a_withdrawal_after_a_resume_and_before_its_backfill_is_not_lost(world: World) -> None:
    await write(world, 1, IN_A | YES)
    await apply(world, enabled=False)
    await write(world, 2, LEFT_A)
    heard(world)
    await apply(world)
    await write(world, 3, NO)
    await settle(world)
    assert heard(world) == [("p", "consent", "exit")]


async def test_a_backfill_leaves_out_who_does_not_consent(world: World) -> None:
    b = {"segmentMembership": membership(1, audience="b")}
    for profile_id, fields in {"yes": b | YES, "no": b | NO, "nothing": b}.items():
        await write(world, 1, fields, profile_id=profile_id)
    await write(world, 1, b | YES, NO, profile_id="withdrawn")
    assert heard(world) == []
    await apply(world, audiences=["a", "b"])
    await settle(world)
    assert heard(world) == [("yes", "backfill", "data")]


async def test_asking_for_consent_exports_nothing_by_itself_and_ends_what_is_under_way(world: World) -> None:
    await apply(world, consent=None)
    await write(world, 1, IN_A | {"attributes": {"x": "data"}}, profile_id="known")
    world.break_down("d")
    await write(world, 1, IN_A | {"attributes": {"x": "data"}}, profile_id="waits")
    world.mend("d")
    assert heard(world) == [("known", "audience,attribute", "data")]

    await apply(world)
    await world.retry()
    await settle(world)

    assert heard(world) == [("waits", "audience,attribute", "exit")]


async def test_forgetting_does_not_wait_where_nobody_was_told(world: World) -> None:
    await write(world, 1, IN_A | NO, {"deleted": True})
    assert heard(world) == []
    (document,) = (json.loads(row) for row, _ in world.profiles.rows.values())
    assert document.keys() == {"version", "deletion"}
    assert document["deletion"][2:] == ["done", [], []]
    assert world.clock() > NOW
