"""Which SecretStore the app has: Key Vault, the local stack's file, or none."""

from pathlib import Path
from typing import NoReturn, Protocol

from shared.errors import NoSecretStoreError
from shared.ports.connections import SecretStore
from shared.settings import Settings


class ClosableSecretStore(SecretStore, Protocol):
    async def close(self) -> None: ...


def secret_store(settings: Settings) -> ClosableSecretStore:
    """No request is made yet. Raises SettingError."""
    if vault := settings.key_vault():
        from shared.adapters.secrets import key_vault  # slow to import, and not needed elsewhere

        return key_vault.KeyVaultSecrets(key_vault.connect(vault))
    if path := settings.local_secrets_file:
        from shared.adapters.secrets.development import DevelopmentSecrets  # needs POSIX

        return DevelopmentSecrets(Path(path))
    return NoSecrets()


class NoSecrets:
    """Says what to do instead."""

    writable = False

    async def store(self, name: str, value: str) -> str:
        self._refuse(f"there is no place to keep {name}")

    async def read(self, name: str, version: str | None = None) -> str:
        self._refuse(f"there is no place that {name} could be read from")

    async def expires_at(self, name: str, version: str | None = None) -> int | None:
        self._refuse(f"there is no place that {name} could be in")

    async def delete(self, name: str) -> None:
        """There is none."""

    async def close(self) -> None:
        """There is nothing to close."""

    @staticmethod
    def _refuse(what: str) -> NoReturn:
        raise NoSecretStoreError(
            f"{what}: set the app setting KEY_VAULT_URI to keep keys in Key Vault; or put the connection string into "
            "an app setting, and name that setting as the destination's `connection`"
        )
