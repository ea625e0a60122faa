"""The contract of ProfileStore."""

import pytest

from shared.errors import ConflictError, ProfileTooLargeError
from shared.services.ports import ProfileStore
from tests.unit.builders import NOW, change, ids, membership, play, targets_of


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
