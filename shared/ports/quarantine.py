"""What the services need to keep what could not be taken in."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.errors import FailureCode


@dataclass(frozen=True, slots=True)
class QuarantinedItem:
    """An inbound item that could not be taken, whole: `item` is its index in the queue message, None for all of it."""

    message_id: str
    item: int | None
    received_at: int
    reason: str
    raw: bytes
    profile_id: str | None = None
    code: FailureCode = FailureCode.OTHER


@dataclass(frozen=True, slots=True)
class QuarantinedEntry:
    """An item as it is listed: `row_id` names it for people, `received_at` is in whole seconds.

    `code` is a FailureCode; None in rows of release 0.1.
    """

    row_id: str
    message_id: str
    item: int | None
    received_at: int
    reason: str
    profile_key: str | None
    code: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class StoredQuarantinedItem(QuarantinedEntry):
    """With its bytes."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class QuarantinePage:
    """`next` is the token of the page after it; None at the end. There may be a next one even to an empty page."""

    entries: Sequence[QuarantinedEntry]
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

    async def of_profile(self, key: str, most: int) -> Sequence[QuarantinedEntry]:
        """The newest items of the profile with this key, newest first, at most `most`. Raises StorageError."""

    async def page(self, reason: str | None, token: str | None, most: int, code: str | None = None) -> QuarantinePage:
        """At most `most` items, newest first, those with `reason` within their reason and with this code, if they are
        given; in a bounded number of requests.

        `token` is the `next` of the page before. Raises BadContinuationError, StorageError.
        """
