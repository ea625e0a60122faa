"""The contract of HealthStore."""

import pytest

from shared.services.ports import DestinationTrouble, HealthStore
from tests.unit.builders import NOW


class HealthStoreContract:
    """`store` is empty."""

    @pytest.fixture
    def store(self) -> HealthStore:
        raise NotImplementedError

    async def test_troubles_come_change_and_go(self, store: HealthStore) -> None:
        assert await store.load() == {}
        down = DestinationTrouble("d", recovering=False, since=NOW, error="down: ü")
        recovering = DestinationTrouble("e", recovering=True, since=NOW, error="")
        await store.put(down)
        await store.put(DestinationTrouble("e", recovering=False, since=NOW - 1, error="x"))
        await store.put(recovering)
        assert await store.load() == {"d": down, "e": recovering}
        await store.clear("d")
        await store.clear("d")
        assert await store.load() == {"e": recovering}
