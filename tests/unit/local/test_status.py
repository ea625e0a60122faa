"""What `python -m local status` takes for wrong."""

import json
from typing import Any

import pytest

from local.commands.status import look, show
from shared.domain.instants import MINUTE
from shared.domain.messages.queue_kind import QueueKind
from tests.kit.builders import item, membership
from tests.kit.world import World


async def test_a_calm_relay_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    await world.handle(item("p", 1, segmentMembership=membership(1)))
    assert show(await look(world.worker), as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "all is fine"
    assert [line.split()[:3] for line in lines if line.startswith("destination")] == [
        ["destination", "d", "active"],
        ["destination", "e", "active"],
    ]
    assert all(line.endswith("0 undelivered            healthy") for line in lines if line.startswith("destination"))


async def test_what_needs_somebody_is_said_in_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    world.break_down("d")
    for number in range(4):
        await world.handle(item(f"p{number}", 1, segmentMembership=membership(1)))
    world.queues.put(QueueKind.CHANGES, messages=2_340)
    world.queues.put(QueueKind.RETRIES, poison=True, messages=3)
    world.clock.now += 25 * MINUTE
    found = await look(world.worker)
    assert show(found, as_json=False) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("wrong: ")
    for expected in (
        "d is down for 25 min",
        "profile-changes: 2,340 waiting, the first for 25 min",
        "export-retries-poison: 3 waiting",
    ):
        assert expected in lines[-1], lines
    assert any(line.startswith("destination  d") and "4 undelivered" in line for line in lines)
    assert show(found, as_json=True) == 1
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {*document} == {"wrong", "timers", "destinations", "queues", "alerts"}
    assert {each["id"]: each["health"]["state"] for each in document["destinations"]} == {"d": "down", "e": "healthy"}
