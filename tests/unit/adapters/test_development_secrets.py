"""Keys on the local stack: one file, its owner's alone, that several processes may share."""

import asyncio
from pathlib import Path

import pytest

from shared.adapters.secrets.development import DevelopmentSecrets
from shared.adapters.secrets.stores import NoSecrets, secret_store
from shared.errors import NoSecretStoreError, SecretError, SettingError
from shared.settings import Settings
from tests.contracts.secret_store import KEY, NAME, SecretStoreContract
from tests.unit.foundations.test_settings import LOCAL, STORAGE


class TestDevelopmentSecrets(SecretStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> DevelopmentSecrets:
        return DevelopmentSecrets(tmp_path / "state" / "secrets.json")


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    asyncio.run(DevelopmentSecrets(tmp_path / "secrets.json").store(NAME, KEY))
    with_keys = [path for path in tmp_path.iterdir() if KEY in path.read_text()]
    assert [path.name for path in with_keys] == ["secrets.json"]
    assert with_keys[0].stat().st_mode & 0o777 == 0o600


async def test_stores_over_one_file_share_what_is_in_it(tmp_path: Path) -> None:
    stores = [DevelopmentSecrets(tmp_path / "secrets.json") for _ in range(5)]
    versions = await asyncio.gather(*(store.store(NAME, f"{KEY}{n}") for n, store in enumerate(stores)))
    assert [await stores[0].read(NAME, version) for version in versions] == [f"{KEY}{n}" for n in range(5)]


@pytest.mark.parametrize("text", ["", f'{{"{NAME}": {{"1": "{KEY}"', "\udcff"])
async def test_a_broken_file_is_named_and_not_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(SecretError, match=r"secrets\.json cannot be read") as broken:
        await DevelopmentSecrets(path).read(NAME)
    assert broken.value.__cause__ is None


async def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SecretError, match="cannot be written"):
        await DevelopmentSecrets(tmp_path / "file" / "secrets.json").store(NAME, KEY)


def test_the_file_is_refused_with_real_storage(tmp_path: Path) -> None:
    file = str(tmp_path / "secrets.json")
    local = {"RELAY_STORAGE": LOCAL.format("127.0.0.1"), "LOCAL_SECRETS_FILE": file}
    assert isinstance(secret_store(Settings.from_environment(local)), DevelopmentSecrets)
    with pytest.raises(SettingError, match="LOCAL_SECRETS_FILE"):
        secret_store(Settings.from_environment(local | {"RELAY_STORAGE": STORAGE}))
    assert isinstance(secret_store(Settings.from_environment({"RELAY_STORAGE": STORAGE})), NoSecrets)


async def test_without_a_place_for_keys_it_is_said_what_would_do() -> None:
    store = NoSecrets()
    assert not store.writable
    await store.delete(NAME)
    for refused in (store.store(NAME, KEY), store.read(NAME)):
        with pytest.raises(NoSecretStoreError, match=f"{NAME}.*: set .* KEY_VAULT_URI .* `connection`") as error:
            await refused
        assert KEY not in str(error.value)
