"""What the services need to keep exports that could not be sent, and to try them again."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from shared.domain.exports.redrive_slices import RedrivePart
from shared.domain.exports.undelivered import Undelivered, UndeliveredState
from shared.domain.messages.pointers import RetryPointer

COUNTED = 10_000
"""Up to about how many rows of each destination are counted, by whoever looks."""


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
class UndeliveredGroup:
    """Rows of one state and one FailureCode, None where release 0.1 stored them; `oldest` is when the first of them
    failed first, `newest` when the latest of them failed last, in microseconds.
    """

    code: str | None
    state: str
    rows: int
    oldest: int
    newest: int


@dataclass(frozen=True, slots=True)
class UndeliveredCount:
    """How many rows are in each state; at least so many where the count is not `complete`. `groups` are the same rows
    by their codes, too, the largest first.

    `oldest`: when the first of those counted failed first, in microseconds; None where there is none.
    """

    by_state: dict[str, int]
    complete: bool
    oldest: int | None = None
    groups: tuple[UndeliveredGroup, ...] = ()

    @property
    def total(self) -> int:
        return sum(self.by_state.values())

    def __str__(self) -> str:
        return f"{self.total:,}{'' if self.complete else ' or more'}"


class UndeliveredTally:
    """Adds rows up one by one, so that however many there are, none is kept."""

    def __init__(self) -> None:
        self.total = 0
        self._groups: dict[tuple[str | None, str], tuple[int, int, int]] = {}

    def add(self, code: str | None, state: str, first_failed_at: int, last_failed_at: int) -> None:
        self.total += 1
        rows, oldest, newest = self._groups.get((code, state), (0, first_failed_at, last_failed_at))
        self._groups[code, state] = rows + 1, min(oldest, first_failed_at), max(newest, last_failed_at)

    def count(self, *, complete: bool) -> UndeliveredCount:
        groups = [UndeliveredGroup(code, state, *figures) for (code, state), figures in self._groups.items()]
        by_state: Counter[str] = Counter()
        for group in groups:
            by_state[group.state] += group.rows
        oldest = min((group.oldest for group in groups), default=None)
        groups.sort(key=lambda group: (-group.rows, group.code or "", group.state))
        return UndeliveredCount(dict(by_state), complete, oldest, tuple(groups))


class UndeliveredStore(Protocol):
    async def load(self, destination_id: str, profile_key: str) -> StoredUndelivered | None:
        """The row of a destination and a profile, if there is one. Raises StorageError."""

    async def save(self, undelivered: StoredUndelivered) -> None:
        """Save the row if it is still the one read, and take its new etag. Raises ConflictError if it is not."""

    async def delete(self, undelivered: StoredUndelivered) -> None:
        """Delete the row if it is still the one read; none is no error. Raises ConflictError if it is another."""

    def of(self, destination_id: str) -> AsyncIterator[StoredUndelivered]:
        """All rows of a destination, in no particular order."""

    def part(self, destination_id: str, part: RedrivePart, after: str) -> AsyncIterator[StoredUndelivered]:
        """Those of a part, by their profiles' keys, from behind the key `after` on. Raises StorageError."""

    async def page(
        self,
        destination_id: str | None,
        state: UndeliveredState | None,
        token: str | None,
        most: int,
        code: str | None = None,
    ) -> UndeliveredPage:
        """What one request finds of the rows of a destination, or of all; in one state, with one FailureCode, or any.

        `token` is the `next` of the page before. Raises BadContinuationError, StorageError.
        """

    async def count(self, destination_id: str, most: int) -> UndeliveredCount:
        """How many rows a destination has, counted up to about `most`. Raises StorageError."""

    async def counts(self, most: int) -> dict[str, UndeliveredCount]:
        """The same of every destination that has any, in one reading of them all. Raises StorageError."""


class RetryQueue(Protocol):
    async def put(self, pointer: RetryPointer, delay: float) -> None:
        """Bring `pointer` back in `delay` seconds. Raises StorageError."""
