"""What failed at every delivery: put back on its queue once storage answers, and given up where that did not help.

The host gives a message up after `maxDequeueCount` deliveries, and storage may be away for longer than they take.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from shared.concurrency import all_of
from shared.domain.instants import DAY, MINUTE, SECOND, within
from shared.domain.messages.pointers import RetryPointer, SlicePointer
from shared.domain.messages.queue_kind import QueueKind
from shared.errors import FailureCode, RelayError
from shared.ports.poison import PoisonMessage, PoisonQueues, PoisonRounds, PoisonRoundsStore
from shared.ports.time import Clock
from shared.services.alerts.deliver import DeliverAlerts
from shared.services.backfills.slices import WorkSlices
from shared.services.changes.export import InboundMessage
from shared.services.changes.poisoned import Poisoned

ROUNDS = 3
"""How often a message is put back; when it has failed at every delivery once more, it is given up."""
SAME_ROUND = 60 * MINUTE
"""No round is as short: what comes again within it is a copy, or a run was cut off that had counted it."""
SAVED_BEFORE_EXPIRY = 2 * DAY
"""So long before its end a change is put back though storage does not answer: where it goes, it does not expire."""
KEPT = 30 * DAY
BUDGET_SECONDS = 45.0


class Settled(StrEnum):
    """What became of a message. `quarantined`: it is none of those that its queue brings."""

    PUT_BACK = "put back"
    GIVEN_UP = "given up"
    QUARANTINED = "quarantined"


@dataclass(slots=True)
class Drained:
    """What one run did, by kind; `failed` is why messages stayed where they are, for a later run to take."""

    settled: Counter[tuple[QueueKind, Settled]] = field(default_factory=Counter)
    failed: list[Exception] = field(default_factory=list)

    def summary(self) -> dict[str, dict[str, int]]:
        """As plain JSON, for the log."""
        by_kind: dict[str, dict[str, int]] = {}
        for (kind, what), count in self.settled.items():
            by_kind.setdefault(kind, {})[what] = count
        return by_kind


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainPoisonQueues:
    """A message leaves its `-poison` queue last of all, so a run may be cut off anywhere: the next one goes on."""

    queues: PoisonQueues
    rounds: PoisonRoundsStore
    poisoned: Poisoned
    slices: WorkSlices
    deliveries: DeliverAlerts
    clock: Clock

    async def run(self) -> Drained:
        """Take what there is from each queue, for `BUDGET_SECONDS` at most."""
        drained = Drained()
        until = self.clock() + int(BUDGET_SECONDS * SECOND)
        await all_of(self._drain(kind, until, drained) for kind in QueueKind)
        return drained

    async def forget_outdated(self) -> None:
        """Forget how many rounds messages made that did not come again. Raises StorageError."""
        await self.rounds.forget(self.clock() - KEPT)

    async def _drain(self, kind: QueueKind, until: int, drained: Drained) -> None:
        going_on = True
        while going_on and self.clock() < until:
            try:
                taken = await self.queues.take(kind)
            except RelayError as error:
                drained.failed.append(error)
                return
            going_on = bool(taken) and all(await all_of(self._settle(each, drained) for each in taken))

    async def _settle(self, message: PoisonMessage, drained: Drained) -> bool:
        """Whether the message went. Where storage fails it stays, and can be taken again in a while."""
        try:
            what = await self._handled_or_kept(message, drained)
            await self.queues.delete(message)
        except RelayError as error:
            drained.failed.append(error)
            return False
        drained.settled[message.kind, what] += 1
        return True

    async def _handled_or_kept(self, message: PoisonMessage, drained: Drained) -> Settled:
        try:
            return await self._handle(message)
        except RelayError:
            raise
        except Exception as error:  # what fails here by itself has failed at every delivery for the same reason
            drained.failed.append(error)
            reason = f"it cannot be handled ({type(error).__name__}): mend the cause that the log names, then replay it"
            await self.poisoned.unreadable(_inbound(message), reason, FailureCode.GAVE_UP)
            return Settled.QUARANTINED

    async def _handle(self, message: PoisonMessage) -> Settled:
        if message.pointer is None and message.kind is not QueueKind.CHANGES:
            reason = f"expected a pointer of the queue of {message.kind}"
            await self.poisoned.unreadable(_inbound(message), reason, FailureCode.UNREADABLE)
            return Settled.QUARANTINED
        if await self._round(message) % (ROUNDS + 1):
            await self.queues.put_back(message)
            return Settled.PUT_BACK
        await self._give_up(message)
        return Settled.GIVEN_UP

    async def _round(self, message: PoisonMessage) -> int:
        """Count the round that the message has failed in, but for rounds in which storage still does not answer."""
        try:
            if message.kind is QueueKind.CHANGES:
                await self.poisoned.require_profiles(_inbound(message))
            return await self._counted(message)
        except RelayError:
            if message.kind is QueueKind.CHANGES and message.expires_at - self.clock() < SAVED_BEFORE_EXPIRY:
                return ROUNDS
            raise

    async def _counted(self, message: PoisonMessage) -> int:
        key = hashlib.sha256(f"{message.kind}\n".encode() + message.body).hexdigest()
        stored = await self.rounds.load(key) or PoisonRounds(key, rounds=0, ended_at=0)
        now = self.clock()
        if not stored.rounds or not within(now - stored.ended_at, SAME_ROUND):
            stored.rounds, stored.ended_at = stored.rounds + 1, now
            await self.rounds.save(stored)
        return stored.rounds

    async def _give_up(self, message: PoisonMessage) -> None:
        pointer = message.pointer
        if pointer is None:
            await self.poisoned.changes(_inbound(message))
        elif isinstance(pointer, RetryPointer):
            await self.poisoned.pointer(pointer)
        elif isinstance(pointer, SlicePointer):
            await self.slices.failed(pointer)
        else:
            await self.deliveries.give_up(pointer)


def _inbound(message: PoisonMessage) -> InboundMessage:
    return InboundMessage(message.id, message.body, message.inserted_at)
