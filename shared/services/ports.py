"""What the services need of the outside. Each port has an adapter on a real part and a fake in the tests."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.domain.configuration import Configuration
from shared.domain.export import Export
from shared.domain.instants import format_instant
from shared.domain.state import ProfileState
from shared.domain.undelivered import Undelivered, UndeliveredState


class Clock(Protocol):
    """The time in microseconds since the epoch."""

    def __call__(self) -> int: ...


class Sleep(Protocol):
    """Wait for a number of seconds."""

    def __call__(self, seconds: float, /) -> Awaitable[None]: ...


@dataclass(slots=True)
class StoredProfile:
    """A profile as read or saved; `etag` is None where there is no row yet. `key` is the hash of its id."""

    state: ProfileState
    etag: str | None
    key: str


class ProfileStore(Protocol):
    buckets: int
    """Over how many buckets the profiles are spread."""

    async def load(self, profile_id: str) -> StoredProfile:
        """The profile's row, or a new state without an etag. Raises StorageError."""

    async def find(self, key: str) -> StoredProfile | None:
        """The profile whose id has this hash, if there is a row. A tombstone's state has no id. Raises StorageError."""

    def scan(self, bucket: int, after: str = "") -> AsyncIterator[StoredProfile]:
        """The rows of a bucket in the order of their keys, from behind the key `after` on. Raises StorageError."""

    def require_room(self, profile: StoredProfile) -> None:
        """Raises ProfileTooLargeError for a state that `save` would refuse before it asked the storage."""

    async def save(self, profile: StoredProfile) -> None:
        """Save the state if the row is still the one read, and take its new etag.

        Raises ConflictError if it is not, ProfileTooLargeError before anything is sent, StorageError otherwise.
        """

    async def delete(self, profile: StoredProfile) -> None:
        """Delete the row if it is still the one read; none is no error. Raises ConflictError if it is another."""


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


@dataclass(frozen=True, slots=True)
class QuarantinedEntry:
    """An item as it is listed: all but its bytes."""

    row_id: str
    message_id: str
    item: int | None
    received_at: int
    reason: str
    profile_key: str | None

    def to_json(self) -> dict[str, Any]:
        return {
            "rowId": self.row_id,
            "messageId": self.message_id,
            "item": self.item,
            "receivedAt": format_instant(self.received_at),
            "reason": self.reason,
            "profileKey": self.profile_key,
        }


@dataclass(frozen=True, slots=True)
class StoredQuarantinedItem:
    """An item as it is kept: `row_id` names it for people, `received_at` is in whole seconds."""

    row_id: str
    message_id: str
    item: int | None
    received_at: int
    reason: str
    raw: bytes
    profile_key: str | None

    @property
    def entry(self) -> QuarantinedEntry:
        return QuarantinedEntry(
            self.row_id, self.message_id, self.item, self.received_at, self.reason, self.profile_key
        )

    def to_json(self) -> dict[str, Any]:
        """The whole item: its bytes as text (`body`) or, where they are none, as base64 (`bodyBase64`)."""
        try:
            body = {"body": self.raw.decode()}
        except UnicodeDecodeError:
            body = {"bodyBase64": base64.b64encode(self.raw).decode()}
        return self.entry.to_json() | body


@dataclass(frozen=True, slots=True)
class QuarantinePage:
    """`next` is the token of the page after it; None at the end. There may be a next one even to an empty page."""

    entries: list[QuarantinedEntry]
    next: str | None


class Quarantine(Protocol):
    async def put(self, item: QuarantinedItem) -> None:
        """Keep `item`; doing so again changes nothing. Raises StorageError."""

    async def get(self, row_id: str) -> StoredQuarantinedItem | None:
        """The item of this row, if there is one. Raises StorageError."""

    async def delete(self, row_id: str) -> None:
        """Forget the item; none there is no error. Raises StorageError."""

    async def forget_profile(self, key: str, until: int) -> None:
        """Delete the items of the profile with this key that were received until then. Raises StorageError."""

    def newest_first(self) -> AsyncIterator[StoredQuarantinedItem]:
        """The items that are there when the first is asked for, by the second in which they were received.

        Those put later are left out, so that replaying them all comes to an end. Raises StorageError.
        """

    async def page(self, reason: str | None, token: str | None, most: int) -> QuarantinePage:
        """At most `most` items, newest first, those with `reason` within their reason; in a bounded number of requests.

        `token` is the `next` of the page before. Raises BadContinuationError, StorageError.
        """


class ChangesQueue(Protocol):
    async def put(self, body: bytes) -> None:
        """Put a message for the app to read as `body`. Raises MessageTooLargeError, StorageError."""


@dataclass(slots=True)
class StoredUndelivered:
    """A row as read or saved; `etag` is None where there is none yet."""

    row: Undelivered
    etag: str | None


@dataclass(frozen=True, slots=True)
class UndeliveredPage:
    """`next` is the token of the page after it; None at the end. There may be a next one even to an empty page."""

    rows: list[Undelivered]
    next: str | None


@dataclass(frozen=True, slots=True)
class UndeliveredCount:
    """How many rows are in each state; at least so many where the count is not `complete`."""

    by_state: dict[str, int]
    complete: bool

    def to_json(self) -> dict[str, Any]:
        return {"states": self.by_state, "total": sum(self.by_state.values()), "complete": self.complete}


class UndeliveredStore(Protocol):
    async def load(self, destination_id: str, profile_key: str) -> StoredUndelivered | None:
        """The row of a destination and a profile, if there is one. Raises StorageError."""

    async def save(self, undelivered: StoredUndelivered) -> None:
        """Save the row if it is still the one read, and take its new etag. Raises ConflictError if it is not."""

    async def delete(self, undelivered: StoredUndelivered) -> None:
        """Delete the row if it is still the one read; none is no error. Raises ConflictError if it is another."""

    def of(self, destination_id: str) -> AsyncIterator[StoredUndelivered]:
        """All rows of a destination, in no particular order."""

    async def page(
        self, destination_id: str | None, state: UndeliveredState | None, token: str | None, most: int
    ) -> UndeliveredPage:
        """What one request finds of the rows of a destination, or of all; of one state, or of all.

        `token` is the `next` of the page before. Raises BadContinuationError, StorageError.
        """

    async def count(self, destination_id: str, most: int) -> UndeliveredCount:
        """How many rows a destination has, counted up to about `most`. Raises StorageError."""


@dataclass(frozen=True, slots=True)
class RetryPointer:
    """Says which row to try again, and nothing of the profile; one whose `attempt` is not the row's is outdated."""

    destination_id: str
    profile_key: str
    attempt: int


class RetryQueue(Protocol):
    async def put(self, pointer: RetryPointer, delay: float) -> None:
        """Bring `pointer` back in `delay` seconds. Raises StorageError."""


@dataclass(frozen=True, slots=True)
class DestinationTrouble:
    """A destination that is down since `since`, or, once `recovering`, answers again since then (microseconds).

    `etag` is of the row that was read.
    """

    destination_id: str
    recovering: bool
    since: int
    error: str
    etag: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class RedriveRequest:
    """Somebody asked, at `requested_at` (microseconds), to try all that a destination has undelivered.

    It says nothing about the destination's health. `etag` is of the row that was read.
    """

    destination_id: str
    requested_at: int
    etag: str | None = field(default=None, compare=False)


class HealthStore(Protocol):
    async def load(self) -> dict[str, DestinationTrouble]:
        """Every destination that is not healthy, by its id. Raises StorageError."""

    async def put(self, trouble: DestinationTrouble) -> None:
        """Say it to all workers; each hears of it when it next reads the configuration. Raises StorageError."""

    async def replace(self, trouble: DestinationTrouble) -> None:
        """The same, if the row is still the one read (`etag`). Raises ConflictError if it is not, StorageError."""

    async def clear(self, trouble: DestinationTrouble) -> None:
        """The destination is healthy, if the row is still the one read. Raises ConflictError if not, StorageError."""

    async def requests(self) -> dict[str, RedriveRequest]:
        """The redrives that were asked for and are not done, by destination id. Raises StorageError."""

    async def request(self, redrive: RedriveRequest) -> None:
        """Ask for a redrive, also where one was asked for already. Raises StorageError."""

    async def fulfil(self, redrive: RedriveRequest) -> None:
        """It is done. Raises ConflictError if it was asked for again since it was read, StorageError."""


class ExportSender(Protocol):
    def enqueue(self, export: Export) -> "asyncio.Future[None]":
        """Hand over an export; exports of one profile to one destination are sent in the order handed over.

        The future ends when the hub acknowledged the event, or with SendError.
        """
