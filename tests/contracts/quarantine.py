"""The contract of Quarantine."""

import os

import pytest

from shared.domain.instants import SECOND
from shared.domain.profile_key import profile_key
from shared.errors import BadContinuationError, FailureCode
from shared.ports.quarantine import Quarantine, QuarantinedEntry, QuarantinedItem, StoredQuarantinedItem
from tests.kit.builders import NOW


async def all_of(quarantine: Quarantine) -> list[StoredQuarantinedItem]:
    return [stored async for stored in quarantine.newest_first()]


class QuarantineContract:
    """`quarantine` is empty."""

    @pytest.fixture
    def quarantine(self) -> Quarantine:
        raise NotImplementedError

    @pytest.mark.parametrize("raw", [b"", b"\x00\xff\r\n", os.urandom(200_000)], ids=["empty", "odd", "large"])
    async def test_what_is_put_is_read(self, quarantine: Quarantine, raw: bytes) -> None:
        await quarantine.put(QuarantinedItem("m-1", 3, NOW + 1, "item 3: ü", raw, "p/1"))
        await quarantine.put(QuarantinedItem("m-1", 3, NOW + 1, "item 3: ü", raw, "p/1"))
        (stored,) = await all_of(quarantine)
        assert stored == StoredQuarantinedItem(
            stored.row_id, "m-1", 3, NOW, "item 3: ü", profile_key("p/1"), raw, code="other"
        )
        assert await quarantine.get(stored.row_id) == stored

    async def test_a_whole_message_has_no_item_and_no_profile(self, quarantine: Quarantine) -> None:
        await quarantine.put(QuarantinedItem("m", None, NOW, "expected UTF-8", b"\xff"))
        (stored,) = await all_of(quarantine)
        assert (stored.item, stored.profile_key) == (None, None)

    async def test_newest_first(self, quarantine: Quarantine) -> None:
        for number in range(40):
            seconds = number * 7 % 40
            await quarantine.put(QuarantinedItem(f"m{number}", 0, NOW + seconds * SECOND, "r", b""))
        received = [stored.received_at for stored in await all_of(quarantine)]
        assert received == [NOW + seconds * SECOND for seconds in reversed(range(40))]

    async def listed(self, quarantine: Quarantine, reason: str | None, most: int) -> list[QuarantinedEntry]:
        """All pages."""
        found: list[QuarantinedEntry] = []
        token = None
        while True:
            page = await quarantine.page(reason, token, most)
            assert len(page.entries) <= most
            found += page.entries
            token = page.next
            if token is None:
                return found

    async def test_pages_have_every_item_once_newest_first(self, quarantine: Quarantine) -> None:
        assert await self.listed(quarantine, None, 3) == []
        for number in range(40):
            seconds = number * 7 % 20
            reason = f"reason {number % 3}"
            await quarantine.put(QuarantinedItem(f"m{number}", 0, NOW + seconds * SECOND, reason, b"body", "p"))
        for most in (1, 7, 39, 40, 100):
            listed = await self.listed(quarantine, None, most)
            assert [entry.received_at for entry in listed] == [
                NOW + seconds * SECOND for seconds in reversed(range(20)) for _ in range(2)
            ]
            assert len({entry.row_id for entry in listed}) == 40
        some = await self.listed(quarantine, "reason 1", 4)
        assert len(some) == 13
        assert {entry.reason for entry in some} == {"reason 1"}
        assert await self.listed(quarantine, "other", 4) == []
        stored = await quarantine.get(some[0].row_id)
        assert stored is not None
        assert (stored.raw, stored.message_id, stored.profile_key) == (b"body", some[0].message_id, profile_key("p"))

    async def test_items_are_found_by_their_code(self, quarantine: Quarantine) -> None:
        for number, code in enumerate((FailureCode.UNREADABLE, FailureCode.INVALID_CHANGE, FailureCode.UNREADABLE)):
            item = QuarantinedItem(f"m{number}", 0, NOW + number * SECOND, "r", b"", code=code)
            await quarantine.put(item)
        page = await quarantine.page(None, None, 10, "unreadable")
        assert [(entry.message_id, entry.code) for entry in page.entries] == [
            ("m2", "unreadable"),
            ("m0", "unreadable"),
        ]
        assert {entry.code for entry in (await quarantine.page(None, None, 10)).entries} == {
            "unreadable",
            "invalid-change",
        }

    @pytest.mark.parametrize("token", ["", "a", "bnVsbA", "W251bGxd", "WyJhIiwiYiJd"])
    async def test_what_is_no_token_is_refused(self, quarantine: Quarantine, token: str) -> None:
        with pytest.raises(BadContinuationError):
            await quarantine.page(None, token, 4)

    async def test_what_is_put_while_reading_is_left_for_later(self, quarantine: Quarantine) -> None:
        await quarantine.put(QuarantinedItem("m", 0, NOW, "r", b""))
        read = 0
        async for _ in quarantine.newest_first():
            read += 1
            await quarantine.put(QuarantinedItem(f"again-{read}", 0, NOW - SECOND, "r", b""))
        assert read == 1

    async def test_only_the_row_that_is_named_is_deleted(self, quarantine: Quarantine) -> None:
        for item in (0, 1, None):
            await quarantine.put(QuarantinedItem("m", item, NOW, "r", b""))
        first = await all_of(quarantine)
        await quarantine.delete(first[0].row_id)
        await quarantine.delete(first[0].row_id)
        assert await quarantine.get(first[0].row_id) is None
        assert await all_of(quarantine) == first[1:]

    async def test_an_unknown_row_id_names_no_row(self, quarantine: Quarantine) -> None:
        assert await quarantine.get("20260111T220000Z-unknown-0") is None
        await quarantine.delete("20260111T220000Z-unknown-0")

    async def test_a_profile_is_forgotten(self, quarantine: Quarantine) -> None:
        for number, profile_id in enumerate(("p", "p", "q", None, "p")):
            item = QuarantinedItem(f"m{number}", number, NOW + number * SECOND, "r", b"", profile_id)
            await quarantine.put(item)
        await quarantine.forget_profile(profile_key("p"), NOW + SECOND)
        await quarantine.forget_profile(profile_key("nobody"), NOW + 100 * SECOND)
        assert [stored.message_id for stored in await all_of(quarantine)] == ["m4", "m3", "m2"]

    async def test_the_newest_items_of_a_profile_are_found(self, quarantine: Quarantine) -> None:
        for number, profile_id in enumerate(("p", "p", "q", None, "p")):
            item = QuarantinedItem(f"m{number}", number, NOW + number * SECOND, "r", b"x", profile_id)
            await quarantine.put(item)
        found = await quarantine.of_profile(profile_key("p"), 9)
        assert [(each.message_id, each.item, each.profile_key) for each in found] == [
            ("m4", 4, profile_key("p")),
            ("m1", 1, profile_key("p")),
            ("m0", 0, profile_key("p")),
        ]
        assert [each.message_id for each in await quarantine.of_profile(profile_key("p"), 2)] == ["m4", "m1"]
        assert await quarantine.of_profile(profile_key("nobody"), 2) == []
