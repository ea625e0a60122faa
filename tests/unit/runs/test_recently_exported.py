"""The profiles that somebody who maps gets attributes suggested from."""

from shared.domain.profile_key import profile_key
from shared.services.runs.recently_exported import LOOKED_AT
from tests.kit.builders import item, membership
from tests.kit.world import World


async def recent(world: World, destination_id: str) -> list[str]:
    stored = (await world.configuration.load()).configuration
    return [each.state.profile_id for each in await world.worker.recently_exported.of(destination_id, stored)]


async def test_the_latest_come_first_and_there_is_an_end_to_them() -> None:
    world = World()
    assert await recent(world, "d") == []
    for number in range(LOOKED_AT + 2):
        await world.handle(item(f"p{number}", 1, segmentMembership=membership(1)))
        world.clock.now += 1_000_000
    await world.worker.runs.flush()
    assert await recent(world, "d") == [f"p{number}" for number in range(LOOKED_AT + 1, 1, -1)]


async def test_a_destination_without_exports_has_those_of_others() -> None:
    world = World()
    await world.handle(item("p", 1, segmentMembership=membership(1)))
    await world.worker.runs.flush()
    world.last_exports.rows = {key: row for key, row in world.last_exports.rows.items() if key[0] == "d"}
    assert await recent(world, "e") == ["p"]


async def test_a_forgotten_profile_is_none() -> None:
    world = World()
    await world.handle(item("p", 1, segmentMembership=membership(1)))
    await world.worker.runs.flush()
    await world.handle(item("p", 2, deleted=True), message_id="delete")
    assert await world.worker.recently_exported.find(profile_key("p")) is None
    assert await world.worker.recently_exported.find("0" * 64) is None
