"""What connecting destinations needs of the outside."""

from typing import Protocol


class SecretStore(Protocol):
    """Where the keys of destinations are kept. No error and no representation tells a value."""

    @property
    def writable(self) -> bool:
        """Whether keys can be kept at all."""

    async def store(self, name: str, value: str) -> str:
        """Keep `value` as the newest version of the secret, and return that version's name; older ones stay.

        Raises NoSecretStoreError where there is no place for keys, SecretError.
        """

    async def read(self, name: str, version: str | None = None) -> str:
        """The value of a version, or of the newest. Raises SecretError, also where there is none."""

    async def delete(self, name: str) -> None:
        """Forget every version; none there is no error. Raises SecretError."""
