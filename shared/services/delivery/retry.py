"""One more attempt at an export that could not be sent, with the profile as it is by then."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.domain.exports.decision import NOT_OF_A_CHANGE, PAUSED
from shared.domain.exports.export import Export, current_export
from shared.domain.exports.undelivered import Undelivered, UndeliveredState, after_failed_retry, retry_delay
from shared.domain.instants import SECOND
from shared.domain.messages.pointers import RetryPointer
from shared.domain.profile.deletion import DeletionPhase
from shared.domain.profile_key import partition_of, profile_key
from shared.errors import ConflictError, FailureCode, HeldBackError, SendError
from shared.ports.exports import ExportSender
from shared.ports.profiles import ProfileStore, StoredProfile
from shared.ports.time import Clock
from shared.ports.undelivered import RetryQueue, StoredUndelivered, UndeliveredStore
from shared.services.configuration.cache import ConfigurationCache, ConfigurationSnapshot
from shared.services.delivery.attempts import Attempt, failed_attempt
from shared.services.delivery.circuit_breakers import CircuitBreakers
from shared.services.delivery.deliver import DOWN, failure_of
from shared.services.delivery.forget_profiles import ForgetProfiles
from shared.services.delivery.settle import SettleStreams
from shared.services.runs.record import RecordRuns


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryExport:
    """In seconds: `retry_delays`, one for each retry; `lingering`, how long the event of a send that failed may still
    reach the hub.
    """

    profiles: ProfileStore
    configuration: ConfigurationCache
    sender: ExportSender
    breakers: CircuitBreakers
    undelivered: UndeliveredStore
    retries: RetryQueue
    forget: ForgetProfiles
    settle: SettleStreams
    runs: RecordRuns
    clock: Clock
    retry_delays: Sequence[float]
    lingering: float

    async def handle(self, pointer: RetryPointer) -> Attempt:
        """Try the row that `pointer` names. Raises StorageError, after which the pointer is to come again."""
        if pointer.settles:
            return await self.settle.handle(pointer)
        stored = await self.undelivered.load(pointer.destination_id, pointer.profile_key)
        if stored is None or stored.row.state != UndeliveredState.RETRYING:
            return Attempt.OUTDATED
        if stored.row.attempts == pointer.attempt + 1:
            # This pointer was handled, but not to its end: its successor may never have been put.
            await self.point_to(stored.row)
            return Attempt.OUTDATED
        if stored.row.attempts != pointer.attempt:
            return Attempt.OUTDATED
        snapshot = await self.configuration.current()
        if self.breakers.open_since(pointer.destination_id, snapshot) is not None:
            return await self._park(stored, DOWN, FailureCode.DESTINATION_DOWN)
        return await self.attempt(stored, snapshot)

    async def attempt(self, stored: StoredUndelivered, snapshot: ConfigurationSnapshot) -> Attempt:
        """Send the current state for `stored`; its row goes, or says what failed. Raises StorageError."""
        row = stored.row
        target = snapshot.targets.by_id.get(row.destination_id)
        if target is not None and not target.dataflow.enabled:
            return await self._park(stored, PAUSED, FailureCode.DATAFLOW_PAUSED)
        profile = await self.profiles.load(row.profile_id)
        export = self._export_of(row, profile, snapshot)
        if export is None:
            await self._drop(stored)
            await self._go_on_deleting(profile, {})
            return Attempt.DROPPED
        try:
            partition = await self._send(export)
        except HeldBackError as error:
            return await self._park(stored, error.reason, error.code)
        except SendError as error:
            await self._failed(stored, error)
            return failed_attempt(error)
        self.breakers.succeeded(row.destination_id, partition)
        unsettled = await self.settle.if_overtaken([export])
        over_at = row.last_failed_at + int(self.lingering * SECOND)
        if self.clock() < over_at:
            unsettled |= await self.settle.later([export], until=over_at)
        await self._settle(stored, export)
        if not unsettled:
            await self._go_on_deleting(profile, {row.destination_id: export.version})
        return Attempt.SENT

    async def _send(self, export: Export) -> str:
        """The partition that has it. Raises SendError."""
        self.runs.retried(export.destination.id)
        try:
            acknowledged = await self.sender.enqueue(export)
        except SendError as error:
            if not isinstance(error, HeldBackError):
                self.runs.failed(export.destination.id)
            raise
        self.runs.acknowledged(export, fresh=NOT_OF_A_CHANGE.isdisjoint(export.reasons))
        return acknowledged.partition

    async def _go_on_deleting(self, profile: StoredProfile, acknowledged: dict[str, int]) -> None:
        """A destination that has now heard of a deletion may have been the last one."""
        deletion = profile.state.deletion
        if deletion is not None and deletion.phase == DeletionPhase.LEAVING:
            await self.forget.proceed(profile.key, acknowledged)

    async def _failed(self, stored: StoredUndelivered, error: SendError) -> None:
        await self.breakers.failed_again(error)
        following = after_failed_retry(stored.row, failure_of(error), self.clock(), self.retry_delays)
        try:
            await self.undelivered.save(StoredUndelivered(following.row, stored.etag))
        except ConflictError:
            # A newer export failed meanwhile; its row counts one attempt less, which does no harm.
            await self.point_to(stored.row)
            return
        if following.row.state == UndeliveredState.DEAD != stored.row.state:
            self.runs.dead(stored.row.destination_id)
        if following.pointer_delay is not None:
            await self.point_to(following.row)

    async def _settle(self, stored: StoredUndelivered, sent: Export) -> None:
        """Delete the row, unless a later version failed while this one was on its way, or one that tells of more.

        One that was parked meanwhile stays, too: whoever parked it counts on it to be there.
        """
        while True:
            try:
                await self.undelivered.delete(stored)
            except ConflictError:
                again = await self.undelivered.load(sent.destination.id, profile_key(sent.profile_id))
                if again is None or again.row.state == UndeliveredState.PARKED:
                    return
                if again.row.version > sent.version or again.row.tells_more_than(stored.row):
                    if again.row.state == UndeliveredState.RETRYING:
                        await self.point_to(again.row)
                    return
                stored = again
            else:
                return

    async def _park(self, stored: StoredUndelivered, why: str, code: FailureCode) -> Attempt:
        row = replace(stored.row, state=UndeliveredState.PARKED, last_error=why, code=code)
        try:
            await self.undelivered.save(StoredUndelivered(row, stored.etag))
        except ConflictError:
            await self.point_to(stored.row)
        else:
            if stored.row.state != UndeliveredState.PARKED:
                self.runs.parked(row.destination_id)
        return Attempt.PARKED

    async def _drop(self, stored: StoredUndelivered) -> None:
        try:
            await self.undelivered.delete(stored)
        except ConflictError:
            await self.point_to(stored.row)

    async def probe(self, stored: StoredUndelivered, snapshot: ConfigurationSnapshot) -> bool:
        """Send the current state for `stored` and leave its row: a worker may be counting on the row to be there.

        False if its destination does not want the profile any more, so that nothing was sent. Raises SendError,
        StorageError.
        """
        export = self._export_of(stored.row, await self.profiles.load(stored.row.profile_id), snapshot)
        if export is None:
            return False
        await self._send(export)
        await self.settle.if_overtaken([export])
        return True

    @staticmethod
    def _export_of(row: Undelivered, profile: StoredProfile, snapshot: ConfigurationSnapshot) -> Export | None:
        """The export that `row` calls for by now; None if its destination does not want the profile any more."""
        target = snapshot.targets.by_id.get(row.destination_id)
        if target is None:
            return None
        catalog = snapshot.targets.catalog
        return current_export(
            profile.state, target, catalog, row.reasons, row.occurred_at, row.transitions, row.omitted
        )

    def partition_of(self, row: Undelivered, snapshot: ConfigurationSnapshot) -> str | None:
        """The partition that the export which `row` calls for would go to, None where that is not known yet."""
        target = snapshot.targets.by_id.get(row.destination_id)
        partitions = self.sender.partitions(target.destination) if target is not None else ()
        return partitions[partition_of(row.profile_id, len(partitions))] if partitions else None

    def partitions_of(self, destination_id: str, snapshot: ConfigurationSnapshot) -> int:
        """How many partitions the destination's hub has, 0 where that is not known yet."""
        target = snapshot.targets.by_id.get(destination_id)
        return len(self.sender.partitions(target.destination)) if target is not None else 0

    async def point_to(self, row: Undelivered) -> None:
        """Put a pointer to `row` on the retry queue."""
        pointer = RetryPointer(row.destination_id, profile_key(row.profile_id), row.attempts)
        await self.retries.put(pointer, retry_delay(row, self.retry_delays))
