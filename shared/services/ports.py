"""What the services need of the outside. Each port has an adapter on a real part and a fake in the tests."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from shared.domain.configuration import Configuration
from shared.domain.export import Export
from shared.domain.state import ProfileState


class Clock(Protocol):
    """The time in microseconds since the epoch."""

    def __call__(self) -> int: ...


class Sleep(Protocol):
    """Wait for a number of seconds."""

    def __call__(self, seconds: float, /) -> Awaitable[None]: ...


@dataclass(slots=True)
class StoredProfile:
    """A profile as read or saved; `etag` is None where there is no row yet."""

    state: ProfileState
    etag: str | None


class ProfileStore(Protocol):
    async def load(self, profile_id: str) -> StoredProfile:
        """The profile's row, or a new state without an etag. Raises StorageError."""

    async def save(self, profile: StoredProfile) -> None:
        """Save the state if the row is still the one read, and take its new etag.

        Raises ConflictError if it is not, ProfileTooLargeError before anything is sent, StorageError otherwise.
        """


@dataclass(frozen=True, slots=True)
class StoredConfiguration:
    configuration: Configuration
    etag: str | None


class ConfigurationStore(Protocol):
    async def load(self) -> StoredConfiguration:
        """The whole configuration at one moment; an empty one without an etag where there is none yet."""

    async def save(self, configuration: Configuration, etag: str | None) -> None:
        """Replace the configuration read with `etag`. Raises ConflictError if somebody else did meanwhile."""


@dataclass(frozen=True, slots=True)
class QuarantinedItem:
    """An inbound item that could not be taken, whole: `item` is its index in the queue message, None for all of it."""

    message_id: str
    item: int | None
    received_at: int
    reason: str
    raw: bytes
    profile_id: str | None = None


class Quarantine(Protocol):
    async def put(self, item: QuarantinedItem) -> None:
        """Keep `item`; doing so again changes nothing. Raises StorageError."""


class ExportSender(Protocol):
    def enqueue(self, export: Export) -> "asyncio.Future[None]":
        """Hand over an export; exports of one profile to one destination are sent in the order handed over.

        The future ends when the hub acknowledged the event, or with SendError.
        """
