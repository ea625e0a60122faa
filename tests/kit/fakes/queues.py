"""The queue of changes, counts of all queues and poison messages, in memory."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from shared.domain.instants import DAY
from shared.domain.messages.pointers import AnyPointer
from shared.domain.messages.queue_kind import QueueKind
from shared.errors import (
    ConflictError,
    MessageTooLargeError,
    StorageError,
)
from shared.ports.poison import PoisonMessage, PoisonRounds
from shared.ports.queues import QueueCount

QUEUE_NAMES = {
    QueueKind.CHANGES: "profile-changes",
    QueueKind.RETRIES: "export-retries",
    QueueKind.SLICES: "backfill-slices",
    QueueKind.ALERTS: "alert-deliveries",
}


class MemoryChangesQueue:
    """Refuses bodies longer than `limit`."""

    def __init__(self, limit: int = 65_536) -> None:
        self.bodies: list[bytes] = []
        self._limit = limit

    async def put(self, body: bytes) -> None:
        if len(body) > self._limit:
            raise MessageTooLargeError("too large for a queue message")
        self.bodies.append(body)


class MemoryQueueCounter:
    """`waiting` are the messages of each queue by kind and whether it is the `-poison` queue: when each was put, and
    whether it can be taken now. A queue that is not among them is missing.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self.waiting: dict[tuple[QueueKind, bool], list[tuple[int, bool]]] = {(kind, False): [] for kind in QueueKind}
        self.failure: StorageError | None = None
        self.unknown: dict[tuple[QueueKind, bool], str] = {}
        self._clock = clock

    def put(self, kind: QueueKind, *, poison: bool = False, messages: int = 1, visible: bool = True) -> None:
        """Put messages now."""
        self.waiting.setdefault((kind, poison), []).extend([(self._clock(), visible)] * messages)

    async def counts(self) -> list[QueueCount]:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return [self._count(kind, poison) for kind in QueueKind for poison in (False, True)]

    def _count(self, kind: QueueKind, poison: bool) -> QueueCount:
        waiting = self.waiting.get((kind, poison))
        front = next((put_at for put_at, visible in waiting or () if visible), None)
        name = f"{QUEUE_NAMES[kind]}-poison" if poison else QUEUE_NAMES[kind]
        if why := self.unknown.get((kind, poison)):
            return QueueCount(kind, name, poison, None, None, why)
        return QueueCount(kind, name, poison, None if waiting is None else len(waiting), front)


class MemoryPoisonQueues:
    """`waiting` can be taken, `taken` cannot for now; `back` is what was put back: its kind, its bytes, its pointer."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.waiting: list[PoisonMessage] = []
        self.taken: list[PoisonMessage] = []
        self.back: list[tuple[QueueKind, bytes, AnyPointer | None]] = []
        self._clock = clock
        self._ids = count(1)

    def put(self, kind: QueueKind, body: bytes, pointer: AnyPointer | None = None) -> PoisonMessage:
        """As the host does, whose copies last for seven days."""
        now = self._clock()
        message = PoisonMessage(kind, f"poison-{next(self._ids)}", body, now, now + 7 * DAY, pointer)
        self.waiting.append(message)
        return message

    def show_again(self) -> None:
        """As time does, once what was taken is not hidden any more."""
        self.waiting, self.taken = [*self.taken, *self.waiting], []

    async def take(self, kind: QueueKind) -> list[PoisonMessage]:
        await asyncio.sleep(0)
        found = [each for each in self.waiting if each.kind == kind][:32]
        self.waiting = [each for each in self.waiting if each not in found]
        self.taken += found
        return found

    async def put_back(self, message: PoisonMessage) -> None:
        await asyncio.sleep(0)
        self.back.append((message.kind, message.body, message.pointer))

    async def delete(self, message: PoisonMessage) -> None:
        await asyncio.sleep(0)
        self.waiting = [each for each in self.waiting if each.id != message.id]
        self.taken = [each for each in self.taken if each.id != message.id]


class MemoryPoisonRounds:
    def __init__(self) -> None:
        self.rows: dict[str, PoisonRounds] = {}
        self._etags = count(1)

    async def load(self, key: str) -> PoisonRounds | None:
        await asyncio.sleep(0)
        return replace(self.rows[key]) if key in self.rows else None

    async def save(self, rounds: PoisonRounds) -> None:
        await asyncio.sleep(0)
        current = self.rows.get(rounds.key)
        if rounds.etag != (current.etag if current else None):
            raise ConflictError("somebody else saved the row first")
        rounds.etag = f"etag-{next(self._etags)}"
        self.rows[rounds.key] = replace(rounds)

    async def ended_since(self, since: int) -> int:
        await asyncio.sleep(0)
        return min(1_000, sum(each.ended_at >= since for each in self.rows.values()))

    async def forget(self, before: int) -> None:
        await asyncio.sleep(0)
        self.rows = {key: each for key, each in self.rows.items() if each.ended_at >= before}
