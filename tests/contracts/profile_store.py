"""The contract of ProfileStore."""

from random import Random

import pytest

from shared.domain.instants import SECOND
from shared.domain.profile.deletion import Deletion, DeletionPhase
from shared.domain.profile_key import bucket_of_key, profile_key
from shared.errors import ConflictError, ProfileTooLargeError
from shared.ports.profiles import ProfileStore
from tests.kit.builders import NOW, change, ids, membership, play, targets_of


class ProfileStoreContract:
    """`store` is empty; `too_large` is more attribute text than one row takes."""

    @pytest.fixture
    def store(self) -> ProfileStore:
        raise NotImplementedError

    @pytest.fixture
    def too_large(self) -> str:
        raise NotImplementedError

    async def test_an_unknown_profile_is_new(self, store: ProfileStore) -> None:
        profile = await store.load("p")
        assert (profile.etag, profile.state.profile_id, profile.state.version) == (None, "p", 0)

    @pytest.mark.parametrize(
        "profile_id", ["p", "a/b\\c#d?e%25", " ", "x" * 1_000, "😀" * 500, "\x7f\n\t", "é", "p'or 1"]
    )
    async def test_what_is_saved_is_read(self, store: ProfileStore, profile_id: str) -> None:
        profile = await store.load(profile_id)
        fields = {
            "segmentMembership": membership(1),
            "identityMap": ids("1"),
            "attributes": {"x": {"ü": [1.5, None, "😀"]}},
        }
        play(profile.state, targets_of({"id": "d", "audiences": ["a"]}), change(1, **fields))

        await store.save(profile)

        read = await store.load(profile_id)
        assert (read.state, read.etag) == (profile.state, profile.etag)
        assert read.state.due.keys() == {"m:0"}

    async def test_saving_again_needs_no_reading(self, store: ProfileStore) -> None:
        profile = await store.load("p")
        for version in (1, 2):
            profile.state.next_version(version)
            await store.save(profile)
        assert (await store.load("p")).state.version == 2

    async def test_what_was_saved_is_restored_without_asking_and_saved_if_nobody_else_did(
        self, store: ProfileStore
    ) -> None:
        profile = await store.load("p")
        play(profile.state, targets_of({"id": "d", "audiences": ["a"]}), change(1, segmentMembership=membership(1)))
        await store.save(profile)
        assert profile.etag is not None
        one, other = (store.restore("p", profile.etag, profile.saved_as) for _ in range(2))
        assert (one.state, one.etag, one.key) == (profile.state, profile.etag, profile.key)
        one.state.next_version(NOW)
        await store.save(one)
        with pytest.raises(ConflictError):
            await store.save(other)

    async def test_only_one_of_two_creates(self, store: ProfileStore) -> None:
        one, other = await store.load("p"), await store.load("p")
        await store.save(one)
        with pytest.raises(ConflictError):
            await store.save(other)

    async def test_only_one_of_two_updates(self, store: ProfileStore) -> None:
        await store.save(await store.load("p"))
        one, other = await store.load("p"), await store.load("p")
        one.state.next_version(NOW)
        await store.save(one)
        with pytest.raises(ConflictError):
            await store.save(other)
        assert (await store.load("p")).state.version == NOW

    async def test_a_profile_that_does_not_fit_is_refused_and_the_row_stays(
        self, store: ProfileStore, too_large: str
    ) -> None:
        profile = await store.load("p")
        profile.state.next_version(1)
        await store.save(profile)
        profile.state.apply(change(1, attributes={"x": too_large}), NOW)

        with pytest.raises(ProfileTooLargeError, match="more than one entity takes: remove attributes"):
            await store.save(profile)

        assert (await store.load("p")).state.attributes.resolve() == {}

    async def test_what_does_not_fit_is_known_without_asking_the_storage(self, store: ProfileStore) -> None:
        profile = await store.load("p")
        store.require_room(profile)
        random = Random(7)
        profile.state.apply(change(1, attributes={"x": random.randbytes(1_100_000).hex()}), NOW)
        with pytest.raises(ProfileTooLargeError):
            store.require_room(profile)

    async def test_a_profile_is_found_by_its_key(self, store: ProfileStore) -> None:
        assert await store.find(profile_key("p")) is None
        profile = await store.load("p")
        profile.state.next_version(1)
        await store.save(profile)
        found = await store.find(profile_key("p"))
        assert found is not None
        assert (found.state, found.etag, found.key) == (profile.state, profile.etag, profile_key("p"))

    async def test_a_tombstone_does_not_know_whose_it_is(self, store: ProfileStore) -> None:
        profile = await store.load("p")
        profile.state.deletion = Deletion(NOW, NOW // SECOND, DeletionPhase.DONE)
        profile.state.next_version(NOW)
        await store.save(profile)
        found = await store.find(profile_key("p"))
        assert found is not None
        assert (found.state.profile_id, found.state.version, found.state.empty) == ("", NOW, True)
        found.state.next_version(NOW)
        await store.save(found)
        read = await store.load("p")
        assert (read.state.profile_id, read.state.version) == ("p", NOW + 1)

    async def test_every_profile_is_in_one_bucket_by_key(self, store: ProfileStore) -> None:
        profiles = [await store.load(f"p{number}") for number in range(40)]
        for profile in profiles:
            profile.state.next_version(1)
            await store.save(profile)
        buckets = {bucket_of_key(profile.key, store.buckets) for profile in profiles}
        scanned = {bucket: [profile async for profile in store.scan(bucket)] for bucket in buckets}
        assert sorted(each.state.profile_id for found in scanned.values() for each in found) == sorted(
            profile.state.profile_id for profile in profiles
        )
        for bucket, found in scanned.items():
            keys = [profile.key for profile in found]
            assert keys == sorted(keys)
            rest = [profile.key async for profile in store.scan(bucket, keys[0])]
            assert rest == keys[1:]

    async def test_only_the_row_that_was_read_is_deleted(self, store: ProfileStore) -> None:
        one, other = await store.load("p"), await store.load("p")
        await store.save(one)
        other.etag = one.etag
        await store.save(one)
        with pytest.raises(ConflictError):
            await store.delete(other)
        await store.delete(one)
        await store.delete(one)
        assert await store.find(one.key) is None
