"""Forgetting a profile over fakes: everybody hears of it first, then nothing is left anywhere."""

import json

import pytest

from shared.domain.configuration.model import parse_configuration_file
from shared.domain.instants import DAY, SECOND
from shared.domain.profile.deletion import DeletionPhase
from shared.domain.profile_key import profile_key
from shared.services.configuration.apply import apply_configuration
from tests.kit.builders import destination, item, membership, told
from tests.kit.world import DOCUMENT, World

QUALIFIES = {"segmentMembership": membership(1), "attributes": {"x": "secret"}}
KEY = profile_key("p")


@pytest.fixture
def world() -> World:
    return World()


def everything(world: World) -> str:
    """All that is stored anywhere, as text, but for retry pointers, which have the hash of a profile id alone."""
    stored = [
        world.profiles.rows,
        world.members.rows,
        world.undelivered.rows,
        world.last_exports.rows,
        world.quarantine.items,
        world.backfills.rows,
        world.backfills.parts,
        world.slices.waiting,
    ]
    return "\n".join(map(str, stored))


def assert_forgotten(world: World) -> None:
    document, _ = world.profiles.rows[KEY]
    assert json.loads(document).keys() == {"version", "deletion"}
    assert json.loads(document)["deletion"][2:] == ["done", [], []]
    rest = everything(world).replace(KEY, "", 1)
    for trace in (KEY, "secret", "'p'", '"p"'):
        assert trace not in rest, trace


async def sweep(world: World) -> None:
    await world.worker.plan_backfills.sweep()
    for _ in range(2):
        await world.run_backfills()


async def delete(world: World, second: int = 5) -> None:
    await world.worker.runs.flush()
    await world.handle(item("p", second, deleted=True), message_id=f"delete{second}")
    await world.worker.runs.flush()


async def test_nothing_is_left_once_everybody_has_heard_of_it(world: World) -> None:
    await world.handle(item("p", 1, **QUALIFIES), {"profileId": "p", "secret": 1})
    assert "secret" in everything(world)
    world.sender.sent.clear()

    await delete(world)

    assert told(world.sender.sent) == [("d", "audience"), ("e", "audience")]
    assert_forgotten(world)


async def test_a_profile_that_nobody_knows_is_remembered_as_deleted(world: World) -> None:
    await delete(world)
    assert_forgotten(world)
    await world.handle(item("p", 4, **QUALIFIES), message_id="late")
    assert world.sender.sent == []
    assert_forgotten(world)


async def test_what_comes_later_makes_the_profile_anew(world: World) -> None:
    await world.handle(item("p", 1, **QUALIFIES))
    await delete(world)
    version = world.sender.sent[-1].version
    await world.handle(item("p", 6, segmentMembership=membership(6)), message_id="anew")
    export = world.sender.sent[-1]
    assert export.version > version
    assert b"secret" not in export.body
    assert KEY in str(world.members.rows)
    await delete(world, 7)
    assert_forgotten(world)


async def test_a_destination_that_is_down_hears_of_it_first(world: World) -> None:
    await world.handle(item("p", 1, **QUALIFIES))
    world.break_down("d")
    await delete(world)
    state = (await world.profiles.load("p")).state
    assert state.deletion is not None
    assert (state.deletion.phase, state.deletion.owed) == (DeletionPhase.LEAVING, ("d",))
    assert b"secret" not in everything(world).encode()

    world.mend("d")
    await world.retry()
    assert told(world.sender.sent[-1:]) == [("d", "audience")]
    assert_forgotten(world)


async def test_an_older_export_that_waits_is_made_up_for_by_the_last_one(world: World) -> None:
    world.break_down("d")
    await world.handle(item("p", 1, **QUALIFIES))
    world.mend("d")
    await delete(world)
    assert_forgotten(world)
    await world.retry()
    assert_forgotten(world)


async def test_an_older_export_to_somebody_who_is_not_owed_one_is_waited_for(world: World) -> None:
    await world.handle(item("p", 1, **QUALIFIES))
    world.break_down("d")
    await world.handle(item("p", 2, segmentMembership=membership(2, "exited")), message_id="exit")
    await delete(world)
    state = (await world.profiles.load("p")).state
    assert state.deletion is not None
    assert state.deletion.owed == ("d",)
    world.mend("d")
    await world.retry()
    assert_forgotten(world)


async def test_a_paused_dataflow_hears_of_it_when_it_is_resumed(world: World) -> None:
    await world.handle(item("p", 1, **QUALIFIES))
    await world.clock.sleep(3_600)
    paused = DOCUMENT["dataflows"][0] | {"enabled": False}
    await apply(world, [paused, DOCUMENT["dataflows"][1]])
    await world.clock.sleep(60)
    await delete(world)
    await sweep(world)
    assert KEY in str(world.members.rows)
    world.sender.sent.clear()

    await apply(world, DOCUMENT["dataflows"])
    for _ in range(3):
        await world.run_backfills()

    assert told(world.sender.sent) == [("d", "backfill")]
    assert b'"status":"exited"' in world.sender.sent[0].body
    assert_forgotten(world)


async def apply(world: World, dataflows: list[dict[str, object]]) -> None:
    document = {"destinations": DOCUMENT["destinations"], "dataflows": dataflows}
    await apply_configuration(world.configuration, world.health, parse_configuration_file(document), world.clock)


async def test_a_destination_that_is_gone_is_not_waited_for(world: World) -> None:
    await world.handle(item("p", 1, **QUALIFIES))
    world.break_down("d")
    await delete(world)
    document = {"destinations": [destination("e")], "dataflows": [DOCUMENT["dataflows"][1]]}
    await apply_configuration(
        world.configuration, world.health, parse_configuration_file(document), world.clock, prune=True
    )
    await world.clock.sleep(60)
    await world.retry()
    assert_forgotten(world)


async def test_after_thirty_days_nobody_is_waited_for(world: World) -> None:
    await world.handle(item("p", 1, **QUALIFIES))
    world.break_down("d")
    await delete(world)
    await world.clock.sleep(29 * DAY / SECOND)
    await sweep(world)
    assert KEY in str(world.members.rows)
    await world.clock.sleep(DAY / SECOND)
    await sweep(world)
    assert_forgotten(world)


async def test_a_sweep_sends_what_a_dead_worker_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.handle(item("p", 1, **QUALIFIES))
    with monkeypatch.context() as patch:
        patch.setattr(world.worker.delivery, "finish", None)
        with pytest.raises(TypeError):
            await delete(world)
    world.sender.sent.clear()
    await sweep(world)
    assert sorted(told(world.sender.sent)) == [("d", "audience"), ("e", "audience")]
    assert_forgotten(world)


async def test_a_tombstone_goes_after_thirty_days(world: World) -> None:
    await world.handle(item("p", 1, **QUALIFIES), item("q", 1, **QUALIFIES))
    await delete(world)
    await world.clock.sleep(29 * DAY / SECOND)
    await sweep(world)
    assert KEY in world.profiles.rows
    await world.clock.sleep(2 * DAY / SECOND)
    await sweep(world)
    assert world.profiles.rows.keys() == {profile_key("q")}


async def test_only_what_was_in_quarantine_by_then_goes(world: World) -> None:
    await world.handle({"profileId": "p", "bad": 1}, {"profileId": "q", "bad": 2}, message_id="m1")
    await delete(world)
    assert [each.profile_id for each in world.quarantine.items.values()] == ["q"]


async def test_an_uploaded_membership_lapses_in_a_sweep(world: World) -> None:
    document = DOCUMENT | {"audiences": [{"id": "a", "origin": "custom-upload"}]}
    await apply_configuration(world.configuration, world.health, parse_configuration_file(document), world.clock)
    await world.handle(item("p", 1, **QUALIFIES), item("q", 1, attributes={"x": 1}))
    world.sender.sent.clear()
    await sweep(world)
    assert world.sender.sent == []

    await world.clock.sleep(30 * DAY / SECOND)
    await sweep(world)
    assert told(world.sender.sent) == [("d", "audience"), ("e", "audience")]
    await world.clock.sleep(31 * DAY / SECOND)
    await sweep(world)
    assert len(world.sender.sent) == 2
    assert not world.members.rows
    assert (await world.profiles.load("p")).state.memberships == {}


async def test_one_sweep_at_a_time(world: World) -> None:
    await world.worker.plan_backfills.sweep()
    await world.worker.plan_backfills.sweep()
    assert len(world.backfills.rows) == 1
    for _ in range(2):
        await world.run_backfills()
    await world.worker.plan_backfills.sweep()
    assert len(world.backfills.rows) == 2
