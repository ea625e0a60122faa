"""The contract of BackfillStore."""

from dataclasses import replace

import pytest

from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState, Slice
from shared.domain.backfills.resync import ResyncOrder
from shared.domain.backfills.upload import UploadOrder
from shared.domain.messages.resync_item import MOST_PROFILES
from shared.domain.profile_key import profile_key
from shared.errors import ConflictError
from shared.ports.backfills import BackfillStore, StoredBackfill, StoredSlice
from tests.kit.builders import NOW

BACKFILL = Backfill(
    id="d-1",
    kind=BackfillKind.BACKFILL,
    state=BackfillState.WAITING,
    requested_at=NOW,
    due_at=NOW + 1,
    destination_id="d",
    audiences=((("ups", "ü/#"), None), (("other", "b"), NOW - 5)),
    revision=7,
)


class BackfillStoreContract:
    """`store` is empty."""

    @pytest.fixture
    def store(self) -> BackfillStore:
        raise NotImplementedError

    async def test_what_is_saved_is_read(self, store: BackfillStore) -> None:
        assert await store.load("d-1") is None
        saved = StoredBackfill(BACKFILL, None)
        await store.save(saved)
        assert await store.load("d-1") == saved
        saved.backfill = replace(BACKFILL, state=BackfillState.RUNNING, started_at=NOW + 2, note="ü")
        await store.save(saved)
        assert await store.load("d-1") == saved

    async def test_an_upload(self, store: BackfillStore) -> None:
        order = UploadOrder(replace=True, force=False, writable_until=NOW, time=NOW + 1, size=2**40, etag='"0x8ü"')
        upload = replace(BACKFILL, kind=BackfillKind.UPLOAD, state=BackfillState.CREATED, upload=order)
        saved = StoredBackfill(upload, None)
        await store.save(saved)
        assert await store.load("d-1") == saved
        saved.backfill = replace(upload, state=BackfillState.FAILED, upload=replace(order, cleared=True))
        await store.save(saved)
        assert [stored async for stored in store.all()] == [saved]

    async def test_a_resync(self, store: BackfillStore) -> None:
        keys = tuple(sorted(profile_key(str(number)) for number in range(MOST_PROFILES)))
        order = ResyncOrder("profiles", "f", since=NOW, first="0" * 64, last="f" * 64, profiles=len(keys), keys=keys)
        resync = replace(BACKFILL, kind=BackfillKind.RESYNC, resync=order)
        saved = StoredBackfill(resync, None)
        await store.save(saved)
        assert await store.load("d-1") == saved
        saved.backfill = replace(resync, state=BackfillState.DONE, resync=replace(order, keys=(), joined="d-2"))
        await store.save(saved)
        assert [stored async for stored in store.all()] == [saved]

    async def test_many_audiences_with_long_names(self, store: BackfillStore) -> None:
        audiences = tuple((("ups", f"{number}" + "ü" * 500), NOW if number % 2 else None) for number in range(250))
        saved = StoredBackfill(replace(BACKFILL, audiences=audiences), None)
        await store.save(saved)
        assert await store.load("d-1") == saved

    async def test_only_one_of_two_saves(self, store: BackfillStore) -> None:
        await store.save(StoredBackfill(BACKFILL, None))
        with pytest.raises(ConflictError):
            await store.save(StoredBackfill(BACKFILL, None))
        one, other = await store.load("d-1"), await store.load("d-1")
        assert one is not None
        assert other is not None
        await store.save(one)
        with pytest.raises(ConflictError):
            await store.save(other)

    async def test_all_are_listed_the_oldest_first(self, store: BackfillStore) -> None:
        assert [stored async for stored in store.all()] == []
        for number, name in enumerate(("z-1", "a-3", "m-2")):
            await store.save(StoredBackfill(replace(BACKFILL, id=name, requested_at=NOW + number), None))
            await store.save_slice(StoredSlice(Slice(name, 0), None))
        assert [stored.backfill.id async for stored in store.all()] == ["z-1", "a-3", "m-2"]

    async def test_slices(self, store: BackfillStore) -> None:
        assert await store.slices("d-1") == []
        assert await store.load_slice("d-1", 3) is None
        saved = StoredSlice(Slice("d-1", 3, 2, "ff", 0.25, members=9, exported=8, undelivered=1, updated_at=NOW), None)
        await store.save_slice(saved)
        await store.save_slice(StoredSlice(Slice("d-1", 15), None))
        await store.save_slice(StoredSlice(Slice("d-10", 3), None))
        assert await store.load_slice("d-1", 3) == saved
        assert [stored.slice.bucket for stored in await store.slices("d-1")] == [3, 15]
        saved.slice = replace(saved.slice, done=True, note="ü", tally="ü" * 20_000)
        await store.save_slice(saved)
        assert (await store.slices("d-1"))[0] == saved
        with pytest.raises(ConflictError):
            await store.save_slice(StoredSlice(saved.slice, None))

    async def test_what_is_deleted_is_gone_with_its_slices(self, store: BackfillStore) -> None:
        for name in ("d-1", "d-10"):
            await store.save(StoredBackfill(replace(BACKFILL, id=name), None))
            await store.save_slice(StoredSlice(Slice(name, 0), None))
        await store.delete("d-1")
        await store.delete("d-1")
        assert [stored.backfill.id async for stored in store.all()] == ["d-10"]
        assert (await store.slices("d-1"), len(await store.slices("d-10"))) == ([], 1)
