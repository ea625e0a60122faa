"""The contract of LagStore."""

import pytest

from shared.domain.exports.lag import GroupLag
from shared.domain.exports.lag_look import LagLook, SeenEnds
from shared.ports.consumers import LagStore

PARTITIONS = [str(each) for each in range(32)]


def look(at: int, looks: int = 2, groups: int = 1) -> LagLook:
    seen = [SeenEnds(at + each, dict.fromkeys(PARTITIONS, 10**9 + each * 7)) for each in range(looks)]
    lags = [
        GroupLag(f"group-{each}", {"0": each}, dict.fromkeys(PARTITIONS, 10**9), written_at=at)
        for each in range(groups)
    ]
    return LagLook(at, "https://contoso.blob.core.windows.net/crm", "h", seen, {"0": at}, lags)


class LagStoreContract:
    """`store` is empty."""

    @pytest.fixture
    def store(self) -> LagStore:
        raise NotImplementedError

    async def test_what_was_seen_last_is_there(self, store: LagStore) -> None:
        assert await store.all() == {}
        assert await store.load("crm") is None
        for at in (1, 2):
            await store.put("crm", look(at))
        failed = LagLook(3, "c", kind="hub", problem="it is away")
        await store.put("other", failed)
        assert await store.load("crm") == look(2)
        assert await store.all() == {"crm": look(2), "other": failed}

    async def test_it_is_forgotten(self, store: LagStore) -> None:
        await store.put("crm", look(1))
        await store.delete("crm")
        await store.delete("crm")
        assert await store.all() == {}

    async def test_there_is_room_for_many_partitions_looks_and_groups(self, store: LagStore) -> None:
        many = look(1, looks=63, groups=20)
        await store.put("crm", many)
        assert await store.load("crm") == many
