"""A worker's hold on the messages that it has in hand: a note, kept hidden, which others find when the worker is gone.

The host hides a message for ten minutes. Who has its receipt can have it handed out sooner, and the note has those of
all messages: so none of them takes a request of its own, however many there are.
"""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Mapping, Sequence, Set
from contextlib import asynccontextmanager, suppress
from itertools import islice

from shared.concurrency import all_of
from shared.domain.instants import SECOND
from shared.domain.messages.queue_kind import QueueKind
from shared.domain.messages.redelivery import redelivery_delay
from shared.errors import StorageError
from shared.host_json import FailedMessages
from shared.ports.in_hand import InHandNote, MessageInHand, MessagesInHand
from shared.ports.time import Clock, Sleep

LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 0.3
"""What is done by then is not noted, unless `MANY` are in hand: an idle worker takes less, and writes no notes."""
MANY = 8
NOTED_WITHIN_SECONDS = 1.0
"""For so long work on one of many waits for its note: beside that work the note would come last, when it is over."""
QUIET_SECONDS = 5.0
"""How long a note without anything in hand is left alone, for the next messages to be noted in it."""
PAUSE_SECONDS = 1.0
"""After a note could not be written."""
MOST_IN_A_NOTE = 300
"""A queue message has room for them."""


class HoldMessages:
    """`lease_seconds`: how long a note stays hidden after its writing, so how soon others have it should the worker go.

    `failed` is what the host does with a message that failed.
    """

    def __init__(
        self,
        *,
        messages: MessagesInHand,
        queue_names: Mapping[QueueKind, str],
        clock: Clock,
        sleep: Sleep,
        lease_seconds: float,
        failed: FailedMessages,
    ) -> None:
        self._messages = messages
        self._queue_names = queue_names
        self._clock = clock
        self._sleep = sleep
        self._lease_seconds = lease_seconds
        self._failed = failed
        self._begun_at: dict[MessageInHand, int] = {}
        self._note: InHandNote | None = None
        self._noted: frozenset[MessageInHand] = frozenset()
        self._written_at = 0
        self._keeper: asyncio.Task[None] | None = None
        self._waiting: dict[MessageInHand, asyncio.Future[None]] = {}
        self._notes_succeed = True

    @asynccontextmanager
    async def holding(self, kind: QueueKind, message_id: str, receipt: str, deliveries: int) -> AsyncIterator[None]:
        """While the block is at work on the message, others give it back should this worker go.

        Where the block fails, the message comes again the later the more often it was delivered.
        """
        message = MessageInHand(self._queue_names[kind], message_id, receipt)
        self._begun_at[message] = self._clock()
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep(), context=contextvars.Context())  # of no message's trace
        try:
            if len(self._begun_at) >= MANY and self._notes_succeed:
                await self._until_noted(message)
            yield
        except Exception as error:
            await self._put_off(message, deliveries, storage_failed=isinstance(error, StorageError))
            raise
        finally:
            self._begun_at.pop(message, None)

    async def give_back(self, messages: Sequence[MessageInHand]) -> int:
        """Have the queues hand out again what a worker left behind that is gone; how many those were.

        Raises StorageError, after all of them were tried.
        """
        return sum(await all_of(self._messages.hide(message, 0) for message in messages))

    async def let_go(self) -> None:
        """Have others give back at once what is in hand, for this worker ends. Raises StorageError."""
        if self._begun_at:
            await self._write(0)

    async def _until_noted(self, message: MessageInHand) -> None:
        """Or until that has failed, or takes too long: the message has its turn all the same."""
        self._waiting[message] = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait({self._waiting[message]}, timeout=NOTED_WITHIN_SECONDS)
        finally:
            del self._waiting[message]

    def _let_them_begin(self, messages: Set[MessageInHand]) -> None:
        for message, noted in self._waiting.items():
            if message in messages and not noted.done():
                noted.set_result(None)

    async def _put_off(self, message: MessageInHand, deliveries: int, *, storage_failed: bool) -> None:
        """What becomes poison is left to the host, which needs the receipt to take it off the queue."""
        first = self._failed.first_delay
        delay = redelivery_delay(deliveries, first, storage_failed=storage_failed)
        if delay > first and deliveries < self._failed.most_deliveries:
            with suppress(StorageError):  # then it comes after the host's own delay
                await self._messages.hide(message, delay)

    async def _keep(self) -> None:
        while self._begun_at or self._note is not None:
            await self._sleep(LOOK_SECONDS)
            try:
                await self._look()
            except StorageError:  # nothing is lost: the host's own lease ends, too
                self._notes_succeed = False
                self._let_them_begin(self._begun_at.keys())
                await self._sleep(PAUSE_SECONDS)

    async def _look(self) -> None:
        now = self._clock()
        since_writing = now - self._written_at
        if not self._begun_at:
            if self._note is not None and since_writing >= QUIET_SECONDS * SECOND:
                note, self._note, self._noted = self._note, None, frozenset()
                await self._messages.delete_note(note)
            return
        is_old = self._note is not None and since_writing >= self._lease_seconds * SECOND / 2
        if is_old or self._is_worth_noting(now):
            await self._write(self._lease_seconds)

    def _is_worth_noting(self, now: int) -> bool:
        first = next((at for message, at in self._begun_at.items() if message not in self._noted), None)
        return first is not None and (len(self._begun_at) >= MANY or now - first >= PATIENCE_SECONDS * SECOND)

    async def _write(self, seconds: float) -> None:
        began, messages = self._clock(), list(islice(self._begun_at, MOST_IN_A_NOTE))
        note = None
        if self._note is not None:
            note = await self._messages.write_note(self._note, messages, seconds)
        self._note = note or await self._messages.put_note(messages, seconds)
        self._noted, self._written_at = frozenset(messages), began
        self._notes_succeed = True
        self._let_them_begin(self._noted)
