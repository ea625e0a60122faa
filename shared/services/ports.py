"""What the services need of the outside. Each port has an adapter on a real part and a fake in the tests."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from shared.domain.configuration import Configuration
from shared.domain.export import Export


class Clock(Protocol):
    """The time in microseconds since the epoch."""

    def __call__(self) -> int: ...


class Sleep(Protocol):
    """Wait for a number of seconds."""

    def __call__(self, seconds: float, /) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class StoredConfiguration:
    configuration: Configuration
    etag: str | None


class ConfigurationStore(Protocol):
    async def load(self) -> StoredConfiguration:
        """The whole configuration at one moment; an empty one without an etag where there is none yet."""

    async def save(self, configuration: Configuration, etag: str | None) -> None:
        """Replace the configuration read with `etag`. Raises ConflictError if somebody else did meanwhile."""


class ChangesQueue(Protocol):
    async def put(self, body: bytes) -> None:
        """Put a message for the app to read as `body`. Raises MessageTooLargeError, StorageError."""


class ExportSender(Protocol):
    def enqueue(self, export: Export) -> "asyncio.Future[None]":
        """Hand over an export; exports of one profile to one destination are sent in the order handed over.

        The future ends when the hub acknowledged the event, or with SendError.
        """
