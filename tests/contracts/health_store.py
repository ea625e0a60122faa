"""The contract of HealthStore."""

from dataclasses import replace

import pytest

from shared.domain.exports.recovery import Recovery
from shared.errors import ConflictError
from shared.ports.health import DestinationTrouble, HealthStore, RedriveRequest
from tests.kit.builders import NOW


class HealthStoreContract:
    """`store` is empty."""

    @pytest.fixture
    def store(self) -> HealthStore:
        raise NotImplementedError

    async def test_troubles_come_change_and_go(self, store: HealthStore) -> None:
        assert await store.load() == {}
        down = DestinationTrouble("d", recovering=False, since=NOW, error="down: ü", code="timeout")
        recovering = DestinationTrouble("e", recovering=True, since=NOW, error="")
        await store.put(down)
        await store.put(DestinationTrouble("e", recovering=False, since=NOW - 1, error="x"))
        await store.put(recovering)
        half_open = DestinationTrouble("f", recovering=False, since=NOW - 1, error="", half_open_since=NOW)
        await store.put(half_open)
        assert await store.load() == {"d": down, "e": recovering, "f": half_open}
        await store.clear((await store.load())["f"])
        read = (await store.load())["d"]
        await store.clear(read)
        await store.clear(read)
        assert await store.load() == {"e": recovering}

    async def test_only_what_was_read_is_replaced_or_cleared(self, store: HealthStore) -> None:
        down = DestinationTrouble("d", recovering=False, since=NOW, error="down")
        await store.put(down)
        read = (await store.load())["d"]
        await store.put(replace(down, since=NOW + 1))
        for outdated in (store.replace(replace(read, recovering=True)), store.clear(read)):
            with pytest.raises(ConflictError):
                await outdated
        again = (await store.load())["d"]
        assert again == replace(down, since=NOW + 1)
        await store.replace(replace(again, recovering=True))
        assert (await store.load())["d"].recovering
        await store.clear((await store.load())["d"])
        with pytest.raises(ConflictError):
            await store.replace(again)

    async def test_requests_say_nothing_about_health(self, store: HealthStore) -> None:
        assert await store.requests() == {}
        asked = RedriveRequest("d", NOW)
        await store.request(asked)
        assert (await store.requests(), await store.load()) == ({"d": asked}, {})
        await store.put(DestinationTrouble("d", recovering=False, since=NOW, error="down"))
        await store.clear((await store.load())["d"])
        assert await store.requests() == {"d": asked}

    async def test_a_request_that_was_made_again_is_not_fulfilled(self, store: HealthStore) -> None:
        await store.request(RedriveRequest("d", NOW))
        read = (await store.requests())["d"]
        await store.request(RedriveRequest("d", NOW + 1))
        with pytest.raises(ConflictError):
            await store.fulfil(read)
        again = (await store.requests())["d"]
        assert again.requested_at == NOW + 1
        await store.fulfil(again)
        await store.fulfil(again)
        assert await store.requests() == {}

    async def test_how_far_a_redrive_is_is_noted_beside_it(self, store: HealthStore) -> None:
        assert await store.recoveries() == {}
        await store.note_recovery(Recovery("d", NOW, NOW + 1, settled=1))
        later = Recovery("d", NOW, NOW + 2, settled=2**40)
        await store.note_recovery(later)
        await store.note_recovery(Recovery("e", NOW, NOW))
        assert await store.recoveries() == {"d": later, "e": Recovery("e", NOW, NOW)}
        assert (await store.load(), await store.requests()) == ({}, {})
        for _ in range(2):
            await store.end_recovery("e")
        assert await store.recoveries() == {"d": later}
