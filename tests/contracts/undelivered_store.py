"""The contract of UndeliveredStore."""

from dataclasses import replace

import pytest

from shared.domain.exports.redrive_slices import SLICES, RedrivePart
from shared.domain.exports.undelivered import Undelivered, UndeliveredState
from shared.domain.profile.audience_transitions import AudienceTransition
from shared.domain.profile_key import profile_key
from shared.errors import BadContinuationError, ConflictError
from shared.ports.undelivered import StoredUndelivered, UndeliveredCount, UndeliveredGroup, UndeliveredStore
from tests.kit.builders import NOW

ROW = Undelivered(
    destination_id="d",
    profile_id="a/b ü",
    state=UndeliveredState.RETRYING,
    version=NOW,
    reasons=("audience", "identity"),
    occurred_at=NOW - 1,
    attempts=1,
    first_failed_at=NOW,
    last_failed_at=NOW + 1,
    last_error="down: ü",
)
KEY = profile_key(ROW.profile_id)


class UndeliveredStoreContract:
    """`store` is empty."""

    @pytest.fixture
    def store(self) -> UndeliveredStore:
        raise NotImplementedError

    async def test_what_is_saved_is_read(self, store: UndeliveredStore) -> None:
        assert await store.load("d", KEY) is None
        saved = StoredUndelivered(ROW, None)
        await store.save(saved)
        assert await store.load("d", KEY) == saved
        saved.row = replace(ROW, state=UndeliveredState.DEAD, attempts=3, permanent=True)
        await store.save(saved)
        assert await store.load("d", KEY) == saved
        told = tuple(AudienceTransition(NOW + number, NOW, number % 5, "ü", f"{number}") for number in range(1_000))
        saved.row = replace(ROW, transitions=told, omitted=3)
        await store.save(saved)
        assert await store.load("d", KEY) == saved

    async def test_only_one_of_two_saves(self, store: UndeliveredStore) -> None:
        await store.save(StoredUndelivered(ROW, None))
        with pytest.raises(ConflictError):
            await store.save(StoredUndelivered(ROW, None))
        stored = await store.load("d", KEY)
        assert stored is not None
        await store.save(StoredUndelivered(ROW, stored.etag))
        with pytest.raises(ConflictError):
            await store.save(stored)

    async def test_only_the_row_that_was_read_is_deleted(self, store: UndeliveredStore) -> None:
        first = StoredUndelivered(ROW, None)
        await store.save(first)
        again = StoredUndelivered(ROW, first.etag)
        await store.save(again)
        with pytest.raises(ConflictError):
            await store.delete(StoredUndelivered(ROW, "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\""))
        await store.delete(again)
        assert await store.load("d", KEY) is None
        await store.delete(again)

    async def test_rows_of_a_destination(self, store: UndeliveredStore) -> None:
        for destination_id in ("d", "d-2", "e"):
            for number in range(40):
                row = replace(ROW, destination_id=destination_id, profile_id=f"p{number}")
                await store.save(StoredUndelivered(row, None))
        rows = [stored.row async for stored in store.of("d")]
        assert sorted(row.profile_id for row in rows) == sorted(f"p{number}" for number in range(40))
        assert {row.destination_id for row in rows} == {"d"}

    async def test_rows_of_a_part(self, store: UndeliveredStore) -> None:
        keys = {destination_id: set[str]() for destination_id in ("d", "d-2")}
        for destination_id, wanted in keys.items():
            for number in range(300):
                row = replace(ROW, destination_id=destination_id, profile_id=f"p{number}")
                await store.save(StoredUndelivered(row, None))
                wanted.add(profile_key(row.profile_id))
        found: list[str] = []
        for part in map(RedrivePart.of, range(SLICES)):
            of_part = [profile_key(stored.row.profile_id) async for stored in store.part("d", part, "")]
            assert of_part == sorted(of_part)
            if of_part:
                behind = [profile_key(stored.row.profile_id) async for stored in store.part("d", part, of_part[0])]
                assert behind == of_part[1:]
            found += of_part
        assert sorted(found) == sorted(keys["d"])

    async def fill(self, store: UndeliveredStore) -> None:
        states = list(UndeliveredState)
        for destination_id in ("d", "d-1", "e"):
            for number in range(9):
                state = states[number % len(states)]
                row = replace(ROW, destination_id=destination_id, profile_id=f"p{number}", state=state)
                await store.save(StoredUndelivered(row, None))

    async def listed(
        self, store: UndeliveredStore, destination_id: str | None, state: UndeliveredState | None
    ) -> list[tuple[str, str]]:
        """All pages, of four rows."""
        found: list[tuple[str, str]] = []
        token = None
        while True:
            page = await store.page(destination_id, state, token, 4)
            assert len(page.rows) <= 4
            assert state is None or {row.state for row in page.rows} <= {state}
            found += [(row.destination_id, row.profile_id) for row in page.rows]
            token = page.next
            if token is None:
                return found

    async def test_pages_have_every_row_once(self, store: UndeliveredStore) -> None:
        assert await self.listed(store, None, None) == []
        await self.fill(store)
        everyone = [(destination_id, f"p{number}") for destination_id in ("d", "d-1", "e") for number in range(9)]
        assert sorted(await self.listed(store, None, None)) == everyone
        assert sorted(await self.listed(store, "d", None)) == everyone[:9]
        dead = [("d-1", "p2"), ("d-1", "p5"), ("d-1", "p8")]
        assert sorted(await self.listed(store, "d-1", UndeliveredState.DEAD)) == dead
        assert len(await self.listed(store, None, UndeliveredState.PARKED)) == 9
        assert await self.listed(store, "unknown' or 'a' eq 'a", None) == []

    async def test_rows_are_found_by_their_code(self, store: UndeliveredStore) -> None:
        for number, code in enumerate(("throttled", "timeout", None)):
            await store.save(StoredUndelivered(replace(ROW, profile_id=f"p{number}", code=code), None))
        found = await store.page("d", None, None, 10, "timeout")
        assert [(row.profile_id, row.code) for row in found.rows] == [("p1", "timeout")]
        everyone = await store.page("d", None, None, 10)
        assert {row.profile_id: row.code for row in everyone.rows} == {"p0": "throttled", "p1": "timeout", "p2": None}

    @pytest.mark.parametrize("token", ["", "a", "é", "bnVsbA", "W10", "WyJhIiwxXQ", "WyJcdTAwMDAiLCJhIl0"])
    async def test_what_is_no_token_is_refused(self, store: UndeliveredStore, token: str) -> None:
        with pytest.raises(BadContinuationError, match="begin without one"):
            await store.page("d", None, token, 4)

    async def test_rows_are_counted_by_state(self, store: UndeliveredStore) -> None:
        assert await store.count("d", 100) == UndeliveredCount({}, complete=True)
        await self.fill(store)
        counted = await store.count("d", 100)
        assert (counted.by_state, counted.complete) == ({"retrying": 3, "parked": 3, "dead": 3}, True)
        assert counted.oldest == NOW

    async def test_rows_are_counted_by_code_and_age(self, store: UndeliveredStore) -> None:
        for number, code in enumerate(["throttled", "timeout", "throttled", None]):
            first, last = NOW - 10 * number, NOW + number
            row = replace(ROW, profile_id=f"p{number}", code=code, first_failed_at=first, last_failed_at=last)
            await store.save(StoredUndelivered(row, None))
        state = str(ROW.state)
        assert (await store.count("d", 100)).groups == (
            UndeliveredGroup("throttled", state, 2, NOW - 20, NOW + 2),
            UndeliveredGroup(None, state, 1, NOW - 30, NOW + 3),
            UndeliveredGroup("timeout", state, 1, NOW - 10, NOW + 1),
        )

    async def test_every_destination_is_counted_at_once(self, store: UndeliveredStore) -> None:
        assert await store.counts(100) == {}
        await self.fill(store)
        for destination_id, age in (("d", 7), ("d-1", 5), ("z", 3)):
            older = replace(ROW, destination_id=destination_id, profile_id="older", first_failed_at=NOW - age)
            await store.save(StoredUndelivered(older, None))
        counts = await store.counts(100)
        assert counts == {key: await store.count(key, 100) for key in counts}
        assert {key: count.oldest for key, count in counts.items()}.items() >= {
            "d": NOW - 7,
            "d-1": NOW - 5,
            "z": NOW - 3,
        }.items()
