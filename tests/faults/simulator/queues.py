"""Storage queues that tell when a message can be taken: nobody has to poll them, and every delay is a seed's."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from shared.adapters.queues.pointers import RETRIES, SLICES
from shared.domain.instants import SECOND
from shared.domain.messages.pointers import RetryPointer, SlicePointer
from shared.domain.messages.queue_kind import QueueKind
from shared.ports.in_hand import MessageInHand
from shared.ports.time import Clock
from tests.kit.fakes.queues import QUEUE_NAMES
from tests.kit.memory_queues import HANDED_OUT_SECONDS, MemoryMessagesInHand, StoredMessage

CHANGES, RETRIED, SLICED = (QUEUE_NAMES[kind] for kind in (QueueKind.CHANGES, QueueKind.RETRIES, QueueKind.SLICES))


class SimulatedQueues(MemoryMessagesInHand):
    """`visible` is called with the queue and the id of a message once it can be taken, or was hidden until then."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.visible: Callable[[str, str], None] = lambda queue, message_id: None

    def _hidden(self, stored: StoredMessage, seconds: float) -> str:
        receipt = super()._hidden(stored, seconds)
        asyncio.get_running_loop().call_later(seconds + 1e-5, self.visible, stored.queue, stored.id)
        return receipt

    @property
    def at_work(self) -> int:
        """How many messages there are but for notes."""
        return sum(map(self.count, (CHANGES, RETRIED, SLICED)))

    def renewed(self, message: MessageInHand) -> MessageInHand:
        """The message with its lease begun anew, as far as it is still its holder's."""
        stored = self._held(message)
        return message if stored is None else replace(message, receipt=self._hidden(stored, HANDED_OUT_SECONDS))

    def show(self, message: MessageInHand) -> None:
        """Let its lease end, though somebody has it in hand."""
        stored = self._held(message)
        if stored is not None:
            stored.visible_at = self._clock() - SECOND
            self.visible(stored.queue, stored.id)


class ChangesPutter:
    def __init__(self, queues: SimulatedQueues) -> None:
        self._queues = queues

    async def put(self, body: bytes) -> None:
        await self._queues.put(CHANGES, body.decode())


class RetriesPutter:
    def __init__(self, queues: SimulatedQueues) -> None:
        self._queues = queues

    async def put(self, pointer: RetryPointer, delay: float) -> None:
        await self._queues.put(RETRIED, RETRIES.encode(pointer), delay)


class SlicesPutter:
    def __init__(self, queues: SimulatedQueues) -> None:
        self._queues = queues

    async def put(self, pointer: SlicePointer) -> None:
        await self._queues.put(SLICED, SLICES.encode(pointer))
