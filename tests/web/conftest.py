from collections.abc import AsyncIterator

import pytest

from tests.unit.world import World
from tests.web.api import Api


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with Api(world) as client:
        yield client
