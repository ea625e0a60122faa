"""Sends exports; one that cannot be sent is stored as undelivered, so that nothing waits and nothing is lost."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from shared.concurrency import all_of
from shared.domain.exports.decision import PAUSED
from shared.domain.exports.export import Export
from shared.domain.exports.undelivered import (
    Failure,
    NextAttempt,
    Undelivered,
    UndeliveredState,
    after_failed_send,
    parked,
)
from shared.domain.instants import MINUTE, within
from shared.domain.messages.pointers import RetryPointer
from shared.domain.profile_key import profile_key
from shared.errors import ConflictError, ExportTooLargeError, FailureCode, HeldBackError, SendError, ThrottledError
from shared.ports.exports import Acknowledgement, ExportSender
from shared.ports.time import Clock
from shared.ports.tracing import Origin
from shared.ports.undelivered import RetryQueue, StoredUndelivered, UndeliveredStore
from shared.services.configuration.cache import ConfigurationSnapshot
from shared.services.delivery.circuit_breakers import CircuitBreakers
from shared.services.runs.record import RecordRuns

DOWN = "destination down"
_CODE_OF = {DOWN: FailureCode.DESTINATION_DOWN, PAUSED: FailureCode.DATAFLOW_PAUSED}
PARKED_AGAIN_AFTER = MINUTE
_REMEMBERED_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Begun:
    """An export on its way; one that is not tried has `why` instead.

    `acknowledged` as ExportSender gives it. `down_since`: since when the health rows say that the destination is down;
    None where they do not, or not yet.
    """

    export: Export
    acknowledged: "asyncio.Future[Acknowledgement] | None" = None
    why: str = ""
    down_since: int | None = None
    origin: Origin | None = None


@dataclass(slots=True)
class Delivered:
    """`undelivered` are stored, each with the state of its row."""

    sent: list[Export] = field(default_factory=list)
    undelivered: list[tuple[Export, str]] = field(default_factory=list)


def failure_of(error: SendError) -> Failure:
    return Failure(error.reason, error.code, permanent=isinstance(error, ExportTooLargeError))


class Delivery:
    """`retry_delays` in seconds, one for each retry."""

    def __init__(
        self,
        *,
        sender: ExportSender,
        breakers: CircuitBreakers,
        undelivered: UndeliveredStore,
        retries: RetryQueue,
        runs: RecordRuns,
        clock: Clock,
        retry_delays: Sequence[float],
    ) -> None:
        self._sender = sender
        self._breakers = breakers
        self._undelivered = undelivered
        self._retries = retries
        self._runs = runs
        self._clock = clock
        self._retry_delays = retry_delays
        self._parked_at: dict[tuple[str, str, int], int] = {}

    def begin(
        self,
        exports: Iterable[Export],
        snapshot: ConfigurationSnapshot,
        origin: Origin | None = None,
        *,
        more_follow: bool = False,
    ) -> list[Begun]:
        """Hand `exports` over in their order, without waiting; `origin`: of the message that calls for them, if any.

        `more_follow`: other calls of it do soon, and then one of `flush`, see ExportSender.
        """
        begun = []
        for export in exports:
            why = self.held_back(export.destination.id, snapshot)
            if why == DOWN:
                told_since = self._breakers.told_since(export.destination.id, snapshot)
                begun.append(Begun(export, why=why, down_since=told_since))
            elif why is not None:
                begun.append(Begun(export, why=why))
            else:
                if origin is not None and origin.traceparent:
                    export = replace(export, traceparent=origin.traceparent)
                begun.append(Begun(export, self._sender.enqueue(export, more_follow=more_follow), origin=origin))
        return begun

    def flush(self) -> None:
        """See ExportSender.flush."""
        self._sender.flush()

    def held_back(self, destination_id: str, snapshot: ConfigurationSnapshot) -> str | None:
        """Why exports to the destination are parked untried, as this worker knows it; None if they are sent."""
        target = snapshot.targets.by_id.get(destination_id)
        if target is not None and not target.dataflow.enabled:
            return PAUSED
        return DOWN if self._breakers.open_since(destination_id, snapshot) is not None else None

    async def finish(self, begun: Sequence[Begun]) -> Delivered:
        """Wait until each export is acknowledged by its hub or stored as undelivered. Raises StorageError."""
        delivered = Delivered()
        # A task for each takes more time than the rest of this does, and most changes have one export.
        several = len(begun) > 1
        states = await all_of(map(self._finish, begun)) if several else [await self._finish(each) for each in begun]
        for each, state in zip(begun, states, strict=True):
            if state is None:
                delivered.sent.append(each.export)
            else:
                delivered.undelivered.append((each.export, state))
        return delivered

    async def _finish(self, begun: Begun) -> str | None:
        export = begun.export
        if begun.acknowledged is None:
            return await self._park_untried(export, begun)
        try:
            acknowledged = await begun.acknowledged
        except HeldBackError as error:
            self._runs.parked(export.destination.id)
            if isinstance(error, ThrottledError):
                self._runs.throttled(export.destination.id)
            return await self._park(export, failure_of(error))
        except SendError as error:
            self._runs.failed(export.destination.id)
            await self._breakers.failed(error)
            return await self.store(export, failure_of(error))
        if acknowledged.throttled:
            self._runs.throttled(export.destination.id)
        received_at = begun.origin.received_at if begun.origin else None
        self._runs.acknowledged(export, received_at, fresh=begun.origin is not None)
        self._breakers.succeeded(export.destination.id, acknowledged.partition)
        return None

    async def store(self, export: Export, failure: Failure) -> str:
        """Store an export that failed; the state of its row. Raises StorageError.

        Row first, then its pointer: `watch_destinations` finds a row whose pointer was never put.
        """
        key = profile_key(export.profile_id)
        while True:
            stored = await self._undelivered.load(export.destination.id, key)
            current = stored.row if stored else None
            following = after_failed_send(current, export, failure, self._clock(), self._retry_delays)
            if await self._saved(stored, following.row):
                if following.row.state == UndeliveredState.DEAD:
                    self._runs.dead(export.destination.id)
                await self._put_pointer(following)
                return str(following.row.state)

    async def _put_pointer(self, following: NextAttempt) -> None:
        if following.pointer_delay is not None:
            row = following.row
            pointer = RetryPointer(row.destination_id, profile_key(row.profile_id), row.attempts)
            await self._retries.put(pointer, following.pointer_delay)

    async def _park_untried(self, export: Export, begun: Begun) -> str:
        """Store an export that is not tried, for its destination is down or its dataflow paused.

        A row that this worker parked within the last minute of the same outage is left as it is: it says already that
        the destination must hear of the profile, and it is not redriven before every worker knows of the recovery.
        That holds only for an outage that the health rows tell of: whoever redrives goes by them. An export that tells
        who entered or left is stored in any case.
        """
        self._runs.parked(export.destination.id)
        identity = (export.destination.id, export.profile_id, begun.down_since or 0)
        now = self._clock()
        parked_at = self._parked_at.get(identity, now - PARKED_AGAIN_AFTER)
        if begun.down_since and not export.transitions and within(now - parked_at, PARKED_AGAIN_AFTER):
            return str(UndeliveredState.PARKED)
        state = await self._park(export, Failure(begun.why, _CODE_OF[begun.why]))
        if len(self._parked_at) >= _REMEMBERED_ROWS:
            self._parked_at.clear()
        self._parked_at[identity] = now
        return state

    async def _park(self, export: Export, why: Failure) -> str:
        """Store an export that waits until a run of `watch_destinations` tries it; the state of its row."""
        while True:
            stored = await self._undelivered.load(export.destination.id, profile_key(export.profile_id))
            if await self._saved(stored, parked(stored.row if stored else None, export, why, self._clock())):
                return str(UndeliveredState.PARKED)

    async def _saved(self, stored: StoredUndelivered | None, row: Undelivered) -> bool:
        try:
            await self._undelivered.save(StoredUndelivered(row, stored.etag if stored else None))
        except ConflictError:
            return False
        return True
