"""Worlds in which much waits for a destination that answers again."""

from dataclasses import replace
from typing import Any

from tests.kit.builders import item, membership
from tests.kit.world import CACHE_SECONDS, SETTINGS, World

_OPEN_THE_BREAKER = 3


async def parked(rows: int, **settings: Any) -> World:
    """So many rows wait for d, in a world with these settings."""
    world = World(settings=replace(SETTINGS, **settings))
    world.break_down("d")
    for each in range(rows + _OPEN_THE_BREAKER):
        await world.handle(item(f"p{each}", 1, segmentMembership=membership(1)), message_id=f"m{each}")
    world.mend("d")
    world.health.troubles.clear()
    await world.clock.sleep(2 * CACHE_SECONDS)
    await world.retry()  # those that opened the breaker
    world.sender.sent.clear()
    return world
