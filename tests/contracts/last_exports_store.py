"""The contract of LastExportsStore."""

from dataclasses import replace

import pytest

from shared.domain.exports.sent_export import SentExport
from shared.domain.instants import SECOND
from shared.domain.profile_key import profile_key
from shared.errors import ConflictError
from shared.ports.last_exports import InstanceExports, LastExportsStore
from tests.kit.builders import NOW


def sent(profile_id: str, second: int = 0) -> SentExport:
    at = NOW + second * SECOND
    return SentExport(at, profile_key(profile_id), at + 1, 7, ("audience", "attribute"), at - 3 * SECOND, 123)


class LastExportsStoreContract:
    """`store` is empty."""

    @pytest.fixture
    def store(self) -> LastExportsStore:
        raise NotImplementedError

    async def test_each_instance_has_its_own_and_replaces_that_alone(self, store: LastExportsStore) -> None:
        assert await store.of("d") == []
        await store.put("d", "one", [sent("p"), sent("q", 1)])
        await store.put("d", "two", [sent("p", 2)])
        await store.put("d-2", "one", [sent("r")])
        await store.put("d", "one", [sent("q", 1), sent("s", 3)])
        rows = {row.instance: row for row in await store.of("d")}
        assert {instance: list(row.exports) for instance, row in rows.items()} == {
            "one": [sent("q", 1), sent("s", 3)],
            "two": [sent("p", 2)],
        }
        assert {row.destination_id for row in rows.values()} == {"d"}

    async def test_rows_are_found_by_a_profile_and_by_age(self, store: LastExportsStore) -> None:
        await store.put("d", "one", [sent("p"), sent("q", 1)])
        await store.put("e", "one", [sent("q", 2)])
        await store.put("e", "two", [sent("r", -5), sent("q", 4)])

        def places(rows: list[InstanceExports]) -> list[tuple[str, str]]:
            return sorted((row.destination_id, row.instance) for row in rows)

        everywhere = [("d", "one"), ("e", "one"), ("e", "two")]
        assert places(await store.with_profile(profile_key("q"))) == everywhere
        assert places(await store.with_profile(profile_key("p"))) == [("d", "one")]
        assert await store.with_profile(profile_key("nobody")) == []
        assert await store.with_older(NOW - 5 * SECOND) == []
        assert places(await store.with_older(NOW - 5 * SECOND + 1)) == [("e", "two")]
        assert places(await store.with_older(NOW + 1)) == [("d", "one"), ("e", "two")]
        assert places(await store.with_older(NOW + 3 * SECOND)) == everywhere

    async def test_a_row_is_replaced_as_it_was_read(self, store: LastExportsStore) -> None:
        await store.put("d", "one", [sent("p"), sent("q", 1)])
        (row,) = await store.of("d")
        await store.replace(replace(row, exports=[sent("q", 1)]))
        (reduced,) = await store.of("d")
        assert list(reduced.exports) == [sent("q", 1)]
        assert await store.with_older(NOW + 1) == []
        for exports in ([sent("p")], []):
            with pytest.raises(ConflictError):
                await store.replace(replace(row, exports=exports))
        await store.replace(replace(reduced, exports=[]))
        assert await store.of("d") == []
        await store.replace(replace(reduced, exports=[]))
        with pytest.raises(ConflictError):
            await store.replace(reduced)
