"""The queue of changes, and how much waits on each of the app's queues."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from shared.domain.messages.queue_kind import QueueKind


@dataclass(frozen=True, slots=True)
class QueueCount:
    """`messages` is approximate and counts those, too, that are being handled or wait for their delay; it is None where
    there is no such queue, or where `unknown` says why it could not be counted. `front_inserted_at`: when the first of
    those was put there that can be taken now, in microseconds; None where there is none.
    """

    kind: QueueKind
    name: str
    poison: bool
    messages: int | None
    front_inserted_at: int | None
    unknown: str | None = None


def of_changes(counts: Iterable[QueueCount]) -> QueueCount | None:
    """That of the queue of changes itself, where it is among them and could be counted."""
    return next(
        (each for each in counts if each.kind is QueueKind.CHANGES and not each.poison and not each.unknown), None
    )


class QueueCounter(Protocol):
    async def counts(self) -> list[QueueCount]:
        """Of every queue, each behind it its `-poison` queue, within a few seconds.

        Raises StorageError where none could be counted.
        """


class ChangesQueue(Protocol):
    async def put(self, body: bytes) -> None:
        """Put a message for the app to read as `body`. Raises MessageTooLargeError, StorageError."""
