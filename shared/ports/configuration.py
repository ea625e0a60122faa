"""Where the configuration is kept."""

from dataclasses import dataclass
from typing import Protocol

from shared.domain.configuration.model import Configuration


@dataclass(frozen=True, slots=True)
class StoredConfiguration:
    configuration: Configuration
    etag: str | None


class ConfigurationStore(Protocol):
    async def load(self) -> StoredConfiguration:
        """The whole configuration at one moment; an empty one without an etag where there is none yet.

        While nobody saves, it is the same object each time, which nobody alters: a large one takes long to make.
        """

    async def save(self, configuration: Configuration, etag: str | None) -> None:
        """Replace the configuration read with `etag`. Raises ConflictError if somebody else did meanwhile."""
