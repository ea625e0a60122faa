from collections.abc import AsyncIterator

import pytest

from tests.kit.api import Api
from tests.kit.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with Api(world) as client:
        yield client
