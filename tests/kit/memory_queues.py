"""Storage queues in memory, as far as receipts matter: being handed out and being hidden gives a message another."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from shared.adapters.queues.in_hand import QUEUE, encode_note
from shared.domain.instants import SECOND
from shared.ports.in_hand import InHandNote, MessageInHand
from shared.ports.time import Clock

HANDED_OUT_SECONDS = 600.0


@dataclass
class _Stored:
    text: str
    visible_at: int
    receipt: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A message as its queue hands it out."""

    message: MessageInHand
    text: str


class MemoryMessagesInHand:
    """With what a host does to the same queues: `put`, `take` and `settle`. `failure` is raised by every request."""

    def __init__(self, clock: Clock) -> None:
        self.requests: list[str] = []
        self.failure: Exception | None = None
        self._clock = clock
        self._queues: defaultdict[str, dict[str, _Stored]] = defaultdict(dict)
        self._numbers = count(1)

    async def put(self, queue: str, text: str) -> None:
        self._put(queue, text, 0)

    async def take(self, queue: str) -> list[Taken]:
        """Everything that is not hidden, hidden from now on."""
        now = self._clock()
        return [
            Taken(MessageInHand(queue, message_id, self._hidden(stored, HANDED_OUT_SECONDS)), stored.text)
            for message_id, stored in self._queues[queue].items()
            if stored.visible_at <= now
        ]

    async def settle(self, message: MessageInHand) -> None:
        if self._held(message) is not None:
            del self._queues[message.queue][message.id]

    async def put_note(self, messages: Sequence[MessageInHand], seconds: float) -> InHandNote:
        self._asked("put a note")
        return self._put(QUEUE, encode_note(messages), seconds)

    async def write_note(
        self, note: InHandNote, messages: Sequence[MessageInHand], seconds: float
    ) -> InHandNote | None:
        self._asked("write a note")
        stored = self._held(_as_message(note))
        if stored is None:
            return None
        stored.text = encode_note(messages)
        return InHandNote(note.id, self._hidden(stored, seconds))

    async def delete_note(self, note: InHandNote) -> None:
        self._asked("delete a note")
        await self.settle(_as_message(note))

    async def hide(self, message: MessageInHand, seconds: float) -> bool:
        self._asked("hide a message")
        stored = self._held(message)
        if stored is not None:
            self._hidden(stored, seconds)
        return stored is not None

    def _asked(self, what: str) -> None:
        self.requests.append(what)
        if self.failure is not None:
            raise self.failure

    def _put(self, queue: str, text: str, seconds: float) -> InHandNote:
        stored = _Stored(text, 0, "")
        message_id = f"message-{next(self._numbers)}"
        self._queues[queue][message_id] = stored
        return InHandNote(message_id, self._hidden(stored, seconds))

    def _held(self, message: MessageInHand) -> _Stored | None:
        stored = self._queues[message.queue].get(message.id)
        return stored if stored is not None and stored.receipt == message.receipt else None

    def _hidden(self, stored: _Stored, seconds: float) -> str:
        stored.visible_at = self._clock() + int(seconds * SECOND)
        stored.receipt = f"receipt-{next(self._numbers)}"
        return stored.receipt


def _as_message(note: InHandNote) -> MessageInHand:
    return MessageInHand(QUEUE, note.id, note.receipt)
