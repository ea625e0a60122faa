from collections.abc import AsyncIterator

import pytest

from tests.kit.api import Api
from tests.kit.console import Console
from tests.kit.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with Api(world) as client:
        yield client


@pytest.fixture
async def console(world: World) -> AsyncIterator[Console]:
    async with Console(world) as client:
        yield client
