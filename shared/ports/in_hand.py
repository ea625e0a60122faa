"""What a worker has in hand, noted where others find it should the worker go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class MessageInHand:
    """A message of `queue` as it was handed out. Whoever has its `receipt` can give it back, until it is settled or
    handed out again.
    """

    queue: str
    id: str
    receipt: str


@dataclass(frozen=True, slots=True)
class InHandNote:
    """A note that is kept hidden; `receipt` is that of its last writing."""

    id: str
    receipt: str


class MessagesInHand(Protocol):
    """Seconds are counted from the request on. All methods raise StorageError."""

    async def put_note(self, messages: Sequence[MessageInHand], seconds: float) -> InHandNote:
        """A note of these messages, which is handed out in so many seconds unless it is written again before."""

    async def write_note(
        self, note: InHandNote, messages: Sequence[MessageInHand], seconds: float
    ) -> InHandNote | None:
        """The note as it is now, hidden for so many seconds more; None where it is there no more, or another's."""

    async def delete_note(self, note: InHandNote) -> None:
        """One that is there no more, or another's, is no error."""

    async def hide(self, message: MessageInHand, seconds: float) -> bool:
        """Have the queue hand out the message again in so many seconds; False where it is settled, or another's."""
