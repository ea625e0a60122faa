"""The main job over fakes: nothing is sent before it is saved, nothing is lost whatever fails in between."""

import asyncio
import json
from unittest.mock import Mock

import pytest

from shared.domain.instants import SECOND
from shared.domain.profile.change import parse_change
from shared.domain.profile_key import profile_key
from shared.errors import ConflictError, StorageError
from shared.ports.profiles import StoredProfile
from shared.services.changes.profile_writer import DUE_KEPT, STORAGE_ATTEMPTS
from tests.kit.builders import NOW, configuration, destination, item, membership, told
from tests.kit.fakes.profiles import MemoryProfiles
from tests.kit.world import DOCUMENT, World

QUALIFIES = {"segmentMembership": membership(1)}


@pytest.fixture
def world() -> World:
    return World()


async def test_a_change_is_saved_and_every_destination_hears_of_it(world: World) -> None:
    outcome = await world.handle(item("p", 1, **QUALIFIES), item("q", 1, attributes={"x": 1}))

    assert told(world.sender.sent) == [("d", "audience"), ("e", "audience")]
    assert world.profiles.rows.keys() == {profile_key("p"), profile_key("q")}
    assert outcome.summary() == {
        "changes": 2,
        "quarantined": 0,
        "exported": {"d": {"audience": 1}, "e": {"audience": 1}},
        "skipped": {"d": {"in no mapped audience": 1}},
        "undelivered": {},
    }


async def test_changes_of_one_message_are_applied_in_the_order_of_their_times(world: World) -> None:
    await world.handle(item("p", 3, attributes={"x": 3}), item("p", 1, **QUALIFIES), item("p", 2, attributes={"x": 2}))
    sent = [json.loads(export.body).get("x") for export in world.sender.sent if export.destination.id == "d"]
    assert sent == [None, 2, 3]


async def test_bad_items_are_quarantined_whole_and_their_neighbours_go_on(world: World) -> None:
    outcome = await world.handle(item("p", 1, **QUALIFIES), {"profileId": "bad"})

    (rejected,) = world.quarantine.items.values()
    assert (rejected.message_id, rejected.item, rejected.profile_id) == ("m", 1, "bad")
    assert (rejected.raw, rejected.received_at) == (b'{"profileId": "bad"}', NOW)
    assert rejected.reason == "item 1: /occurredAt: expected this field, which is missing"
    assert len(world.sender.sent) == 2
    assert outcome.quarantined == 1


async def test_a_change_that_makes_the_profile_too_large_is_refused_alone(world: World) -> None:
    outcome = await world.handle(
        item("p", 1, **QUALIFIES), item("p", 2, attributes={"z": "y" * 20_000}), item("p", 3, attributes={"x": 1})
    )

    (rejected,) = world.quarantine.items.values()
    assert rejected.reason.startswith("item 1: the profile would need 20,")
    assert json.loads(rejected.raw) == item("p", 2, attributes={"z": "y" * 20_000})
    assert told(world.sender.sent) == [("d", "audience"), ("e", "audience"), ("d", "attribute")]
    assert outcome.quarantined == 1


class Crash(BaseException):
    """The process ends here."""


async def test_a_crash_between_save_and_send_is_made_good_by_the_redelivery(world: World) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.sender, "enqueue", Mock(side_effect=Crash))
        with pytest.raises(Crash):
            await world.handle(item("p", 1, **QUALIFIES))

    await world.handle(item("p", 1, **QUALIFIES))

    assert told(world.sender.sent) == [("d", "audience"), ("e", "audience")]
    assert len(world.profiles.saves) == 1


async def test_a_failed_send_is_stored_and_its_neighbours_are_served(world: World) -> None:
    world.break_down("d")

    outcome = await world.handle(item("p", 1, **QUALIFIES), {"bad": 1})

    assert [(export.destination.id, export.profile_id) for export in world.sender.sent] == [("e", "p")]
    assert world.rows == {("d", "p"): "retrying"}
    assert outcome.summary()["undelivered"] == {"d": {"retrying": 1}}
    assert outcome.summary()["exported"] == {"e": {"audience": 1}}
    assert outcome.quarantined == 1


@pytest.mark.parametrize("saved", [False, True], ids=["not saved", "saved, but the reply was lost"])
async def test_a_save_that_fails_once_is_tried_again_and_its_exports_are_sent_once(world: World, saved: bool) -> None:
    save = world.profiles.save

    with pytest.MonkeyPatch.context() as patch:

        async def failing(profile: StoredProfile) -> None:
            patch.undo()
            if saved:
                await save(profile)
            raise StorageError("table Profiles: could not insert: Server disconnected")

        patch.setattr(world.profiles, "save", failing)
        await world.handle(item("p", 1, **QUALIFIES))

    assert told(world.sender.sent) == [("d", "audience"), ("e", "audience")]
    assert len(world.profiles.saves) == 1


async def test_a_save_that_keeps_failing_fails_the_message(world: World) -> None:
    save = Mock(side_effect=StorageError("down"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.profiles, "save", save)
        with pytest.raises(StorageError):
            await world.handle(item("p", 1, **QUALIFIES))
    assert save.call_count == STORAGE_ATTEMPTS
    assert world.sender.sent == []


class RacedProfiles(MemoryProfiles):
    """Another worker writes `second` after `second` on the profile ahead of each save, until none are left."""

    def __init__(self, seconds: list[int]) -> None:
        super().__init__()
        self.seconds = seconds

    async def save(self, profile: StoredProfile) -> None:
        if self.seconds:
            other = await self.load(profile.state.profile_id)
            second = self.seconds.pop()
            other.state.apply(parse_change(item("p", second, attributes={"x": second}), NOW), NOW)
            other.state.next_version(NOW)
            await super().save(other)
        await super().save(profile)


async def test_a_lost_race_is_decided_anew_before_anything_is_sent() -> None:
    world = World(RacedProfiles([5]))

    await world.handle(item("p", 1, **QUALIFIES))

    (to_d, _) = world.sender.sent
    assert json.loads(to_d.body)["x"] == 5
    theirs, ours = [state.version for state in world.profiles.saves]
    assert theirs < ours == to_d.version


async def test_a_race_that_is_always_lost_fails_the_message(world: World) -> None:
    world = World(RacedProfiles(list(range(100, 0, -1))))
    with pytest.raises(ConflictError, match="waits for its redelivery"):
        await world.handle(item("p", 1, **QUALIFIES))
    assert world.sender.sent == []


async def test_messages_of_one_worker_do_not_race_for_a_profile(world: World) -> None:
    await asyncio.gather(
        *(world.handle(item("p", second, attributes={"x": second}), message_id=f"m{second}") for second in range(40))
    )
    assert len(world.profiles.saves) == 40
    assert world.clock.now == NOW


async def test_storage_trouble_with_one_profile_leaves_the_others_alone(world: World) -> None:
    load = world.profiles.load

    async def failing(profile_id: str) -> StoredProfile:
        if profile_id == "p":
            raise StorageError("table Profiles: could not read: HTTP 503 ServerBusy")
        return await load(profile_id)

    world.profiles.load = failing  # type: ignore[method-assign]
    with pytest.raises(StorageError, match="ServerBusy"):
        await world.handle(item("p", 1, **QUALIFIES), item("q", 1, **QUALIFIES))
    assert {export.profile_id for export in world.sender.sent} == {"q"}


async def test_a_decision_by_an_outdated_configuration_is_not_saved(world: World) -> None:
    await world.handle(item("other", 1, attributes={"x": 1}))
    load = world.profiles.load

    async def slow(profile_id: str) -> StoredProfile:
        world.profiles.load = load  # type: ignore[method-assign]
        profile = await load(profile_id)
        world.clock.now += 31 * SECOND
        return profile

    without_e = configuration({"destinations": [destination("d")], "dataflows": [DOCUMENT["dataflows"][0]]})
    world.configuration.put(without_e.model_copy(update={"revision": 2}))
    world.profiles.load = slow  # type: ignore[method-assign]

    await world.handle(item("p", 2, **QUALIFIES))

    assert told(world.sender.sent) == [("d", "audience")]
    assert world.configuration.loads == 2


async def test_the_configuration_is_read_once_in_its_lifetime(world: World) -> None:
    for second in range(1, 31):
        world.clock.now = NOW + second * SECOND
        await world.handle(item("p", second, attributes={"x": second}), message_id=f"m{second}")
    assert world.configuration.loads == 1
    world.clock.now += SECOND
    await world.handle(item("p", 31, attributes={"x": 31}), message_id="m31")
    assert world.configuration.loads == 2


async def test_the_row_of_a_busy_profile_does_not_grow_with_what_is_acknowledged(world: World) -> None:
    await world.handle(item("p", 0, **QUALIFIES), message_id="m0")
    for second in range(1, 200):
        await world.handle(item("p", second, attributes={"x": second}), message_id=f"m{second}")
    assert max(len(state.due) for state in world.profiles.saves) == DUE_KEPT + 1
    assert len(world.profiles.saves) <= 200 * (1 + 1 / DUE_KEPT) + 1


async def test_what_is_due_and_not_delivered_stays(world: World) -> None:
    world.break_down("e")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.undelivered, "save", Mock(side_effect=StorageError("down")))
        with pytest.raises(StorageError):
            await world.handle(item("p", 0, **QUALIFIES), message_id="never-delivered")
    for second in range(1, 100):
        await world.handle(item("p", second, attributes={"x": second}), message_id=f"m{second}")
    assert "never-delivered:0" in world.profiles.saves[-1].due
