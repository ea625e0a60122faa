"""The contract of SecretStore, of one that is writable."""

import asyncio

import pytest

from shared.errors import SecretError
from shared.ports.connections import SecretStore

NAME = "profile-relay-crm"
KEY = "c2VjcmV0LWtleS1vZi1hLW5hbWVzcGFjZQ=="


class SecretStoreContract:
    """`store` is empty."""

    @pytest.fixture
    def store(self) -> SecretStore:
        raise NotImplementedError

    async def test_what_is_stored_is_read(self, store: SecretStore) -> None:
        assert store.writable
        version = await store.store(NAME, KEY)
        assert await store.read(NAME) == await store.read(NAME, version) == KEY

    async def test_an_older_version_stays_readable(self, store: SecretStore) -> None:
        first, second = await store.store(NAME, KEY), await store.store(NAME, f"{KEY}2")
        assert first != second
        assert (await store.read(NAME, first), await store.read(NAME, second)) == (KEY, f"{KEY}2")
        assert await store.read(NAME) == f"{KEY}2"

    async def test_the_same_value_is_a_version_of_its_own(self, store: SecretStore) -> None:
        assert await store.store(NAME, KEY) != await store.store(NAME, KEY)

    async def test_secrets_do_not_mix(self, store: SecretStore) -> None:
        version = await store.store(NAME, KEY)
        await store.store("profile-relay-analytics", "another")
        assert await store.read(NAME) == KEY
        with pytest.raises(SecretError, match="profile-relay-analytics"):
            await store.read("profile-relay-analytics", version)

    async def test_what_is_not_there_is_told_by_its_name(self, store: SecretStore) -> None:
        with pytest.raises(SecretError, match=NAME):
            await store.read(NAME)
        await store.store(NAME, KEY)
        with pytest.raises(SecretError, match=NAME):
            await store.read(NAME, "f" * 32)

    async def test_what_is_deleted_is_gone_and_can_be_stored_anew(self, store: SecretStore) -> None:
        await store.delete(NAME)
        version = await store.store(NAME, KEY)
        await store.delete(NAME)
        for gone in (None, version):
            with pytest.raises(SecretError):
                await store.read(NAME, gone)
        await store.store(NAME, f"{KEY}2")
        assert await store.read(NAME) == f"{KEY}2"

    async def test_stores_at_once_are_all_kept(self, store: SecretStore) -> None:
        values = [f"{KEY}{number}" for number in range(8)]
        versions = await asyncio.gather(*(store.store(NAME, value) for value in values))
        assert [await store.read(NAME, version) for version in versions] == values

    async def test_what_was_given_no_end_has_none(self, store: SecretStore) -> None:
        version = await store.store(NAME, KEY)
        assert (await store.expires_at(NAME), await store.expires_at(NAME, version)) == (None, None)
        with pytest.raises(SecretError, match=NAME):
            await store.expires_at(NAME, "f" * 32)

    async def test_nothing_shows_a_value(self, store: SecretStore) -> None:
        version = await store.store(NAME, KEY)
        with pytest.raises(SecretError) as missing:
            await store.read(NAME, "0" * 32)
        assert KEY not in f"{store!r} {version} {missing.value!r} {missing.value.__cause__!r}"
