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
class StoredMessage:
    """`put_at` and `visible_at` by the queues' clock."""

    queue: str
    id: str
    text: str
    put_at: int
    visible_at: int = 0
    receipt: str = ""
    deliveries: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """A message as its queue hands it out, for the time with this number."""

    message: MessageInHand
    text: str
    deliveries: int = 1
    put_at: int = 0


class MemoryMessagesInHand:
    """With what a host does to the same queues: `put`, `take` and `settle`. `failure` is raised by every request."""

    def __init__(self, clock: Clock) -> None:
        self.requests: list[str] = []
        self.failure: Exception | None = None
        self._clock = clock
        self._queues: defaultdict[str, dict[str, StoredMessage]] = defaultdict(dict)
        self._numbers = count(1)

    async def put(self, queue: str, text: str, delay: float = 0) -> None:
        self._put(queue, text, delay)

    async def take(self, queue: str) -> list[Taken]:
        """Everything that is not hidden, hidden from now on."""
        taken = (self.take_one(queue, message_id) for message_id in list(self._queues[queue]))
        return [each for each in taken if each is not None]

    def take_one(self, queue: str, message_id: str) -> Taken | None:
        """The message, hidden from now on, unless it is gone or hidden already."""
        if not self.can_be_taken(queue, message_id):
            return None
        stored = self._queues[queue][message_id]
        stored.deliveries += 1
        receipt = self._hidden(stored, HANDED_OUT_SECONDS)
        return Taken(MessageInHand(queue, message_id, receipt), stored.text, stored.deliveries, stored.put_at)

    def can_be_taken(self, queue: str, message_id: str) -> bool:
        stored = self._queues[queue].get(message_id)
        return stored is not None and stored.visible_at <= self._clock()

    def count(self, queue: str) -> int:
        """How many there are, those that are hidden included."""
        return len(self._queues[queue])

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
        stored = StoredMessage(queue, f"message-{next(self._numbers)}", text, self._clock())
        self._queues[queue][stored.id] = stored
        return InHandNote(stored.id, self._hidden(stored, seconds))

    def _held(self, message: MessageInHand) -> StoredMessage | None:
        stored = self._queues[message.queue].get(message.id)
        return stored if stored is not None and stored.receipt == message.receipt else None

    def _hidden(self, stored: StoredMessage, seconds: float) -> str:
        stored.visible_at = self._clock() + int(seconds * SECOND)
        stored.receipt = f"receipt-{next(self._numbers)}"
        return stored.receipt


def _as_message(note: InHandNote) -> MessageInHand:
    return MessageInHand(QUEUE, note.id, note.receipt)
