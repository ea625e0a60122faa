"""The contract of AudienceCountStore."""

from uuid import NAMESPACE_URL, uuid5

import pytest

from shared.domain.audiences.counts import CountedAudiences
from shared.domain.instants import DAY, parse_instant
from shared.domain.runs import MOST_AUDIENCES, SLOT
from shared.ports.audience_counts import AudienceCountStore

AT = parse_instant("2026-01-12T02:50:00Z")


def counted(at: int, members: int) -> CountedAudiences:
    return CountedAudiences(
        at, at - DAY, {("ups", "a"): members, ("ü/", "a:b"): 0}, {("ups", "a"): [1, 2], ("x", "left"): [0, 3]}
    )


class AudienceCountStoreContract:
    """`store` is empty."""

    @pytest.fixture
    def store(self) -> AudienceCountStore:
        raise NotImplementedError

    async def test_what_was_counted_comes_back_the_oldest_first(self, store: AudienceCountStore) -> None:
        assert await store.since(0) == []
        for number in (2, 0, 1):
            await store.put(counted(AT + number * DAY, number))
        assert await store.since(AT) == [counted(AT + number * DAY, number) for number in range(3)]
        assert await store.since(AT + 1) == [counted(AT + number * DAY, number) for number in (1, 2)]

    async def test_what_is_counted_again_takes_its_place(self, store: AudienceCountStore) -> None:
        await store.put(counted(AT, 1))
        await store.put(counted(AT, 2))
        assert await store.since(AT) == [counted(AT, 2)]

    async def test_what_was_counted_long_ago_is_forgotten(self, store: AudienceCountStore) -> None:
        for number in range(3):
            await store.put(counted(AT + number * SLOT, number))
        await store.forget(AT + SLOT)
        await store.forget(AT + SLOT)
        assert [each.at for each in await store.since(0)] == [AT + SLOT, AT + 2 * SLOT]

    async def test_there_is_room_for_as_many_audiences_as_are_counted(self, store: AudienceCountStore) -> None:
        names = [("ups", str(uuid5(NAMESPACE_URL, str(number)))) for number in range(MOST_AUDIENCES)]
        many = CountedAudiences(
            AT,
            AT - DAY,
            {name: 1_000_000 + number * 7 for number, name in enumerate(names)},
            {name: [number * 3 + 1, number * 5] for number, name in enumerate(names)},
        )
        await store.put(many)
        assert await store.since(AT) == [many]
