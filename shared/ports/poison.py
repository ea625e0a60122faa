"""What the services need of messages that failed at every delivery: the host has put them on a `-poison` queue."""

from dataclasses import dataclass, field
from typing import Protocol

from shared.domain.messages.pointers import AnyPointer
from shared.domain.messages.queue_kind import QueueKind


@dataclass(frozen=True, slots=True)
class PoisonMessage:
    """A message as it lies on the `-poison` queue of its kind. Times are microseconds; `expires_at` is the copy's.

    `pointer` is what it says where its queue brings pointers: None of changes, and of what is no pointer.
    """

    kind: QueueKind
    id: str
    body: bytes
    inserted_at: int
    expires_at: int
    pointer: AnyPointer | None = None
    receipt: str = field(default="", repr=False)


class PoisonQueues(Protocol):
    async def take(self, kind: QueueKind) -> list[PoisonMessage]:
        """Some of those that can be taken now; for two minutes they cannot be taken again. Raises StorageError.

        None where there is no such queue: the host makes it for its first message.
        """

    async def put_back(self, message: PoisonMessage) -> None:
        """Put a copy, which does not expire, on the queue that the message came from. Raises StorageError."""

    async def delete(self, message: PoisonMessage) -> None:
        """Take the message from its `-poison` queue; none there is no error. Raises StorageError."""


@dataclass(slots=True)
class PoisonRounds:
    """How many rounds of deliveries a message has failed in, the last of which ended at `ended_at`, in microseconds.

    `key` stands for its kind and its bytes; `etag` is None where there is no row yet.
    """

    key: str
    rounds: int
    ended_at: int
    etag: str | None = None


class PoisonRoundsStore(Protocol):
    async def load(self, key: str) -> PoisonRounds | None:
        """Raises StorageError."""

    async def save(self, rounds: PoisonRounds) -> None:
        """Save the row if it is still the one read. Raises ConflictError if it is not, StorageError."""

    async def ended_since(self, since: int) -> int:
        """Of how many messages a round ended then or later; of 1,000 and more, 1,000. Raises StorageError."""

    async def forget(self, before: int) -> None:
        """Delete the rows of those whose last round ended before that. Raises StorageError."""
