"""`run_backfill`: takes note of requested backfills, cuts those that are due into slices, and looks after the slices.

Each run looks at what there is, so runs may overlap, be missed or die anywhere: the next one goes on.
"""

from contextlib import suppress
from dataclasses import replace

from shared.concurrency import all_of
from shared.domain.audiences.tally import counted_at, members_of
from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState, Slice
from shared.domain.backfills.standstill import STALLED_AFTER
from shared.domain.configuration.model import Configuration
from shared.domain.instants import DAY, MINUTE, SECOND, format_instant
from shared.domain.messages.pointers import SlicePointer
from shared.errors import ConflictError, NoSuchBackfillError
from shared.ports.backfills import BackfillStore, SliceQueue, StoredBackfill, StoredSlice
from shared.ports.configuration import ConfigurationStore
from shared.ports.time import Clock
from shared.ports.uploads import UploadFiles
from shared.services.audiences.keep import KeepAudienceCounts
from shared.services.configuration.cache import ConfigurationCache

HISTORY = 30 * DAY
MAKING_TAKES = 30 * SECOND
"""Whoever made a slice has put its pointer by then, or died."""
WRITING_TAKES = 60 * MINUTE
"""A write of an upload's file that began in time may end so much later, and bring back what was deleted before."""


class PlanBackfills:
    """`delay` (seconds) is how long after a change of the configuration every worker knows it, and has sent what it
    decided by the one before.
    """

    def __init__(
        self,
        *,
        store: ConfigurationStore,
        configuration: ConfigurationCache,
        backfills: BackfillStore,
        queue: SliceQueue,
        files: UploadFiles,
        audience_counts: KeepAudienceCounts,
        clock: Clock,
        delay: float,
    ) -> None:
        self._store = store
        self._configuration = configuration
        self._backfills = backfills
        self._queue = queue
        self._files = files
        self._audience_counts = audience_counts
        self._clock = clock
        self._delay = int(delay * SECOND)

    async def run(self) -> dict[str, str]:
        """Do what is to be done now; backfill id -> what was. Raises StorageError."""
        await self._take_note()
        outcome = {}
        async for stored in self._backfills.all():
            if stored.backfill.kind == BackfillKind.REDRIVE and not stored.backfill.finished:
                continue  # watch_destinations looks after it
            try:
                if done := await self._advance(stored):
                    outcome[stored.backfill.id] = done
            except ConflictError:
                continue  # another run is at it
        return outcome

    async def _take_note(self) -> None:
        """Move requests from the configuration to the backfills: first there, then from here."""
        stored = await self._store.load()
        for backfill in self._requested(stored.configuration):
            await self._add(backfill)
        if stored.configuration.requested_backfills:
            left = stored.configuration.model_copy(update={"requested_backfills": []})
            with suppress(ConflictError):  # the next run finds them again
                await self._store.save(left, stored.etag)

    def _requested(self, configuration: Configuration) -> list[Backfill]:
        """The backfills that the configuration asks for and that may not have been noted yet."""
        mapped = {
            dataflow.id: [audience.key for audience in dataflow.active_audiences]
            for dataflow in configuration.dataflows
        }
        return [
            Backfill.of(request, mapped[request.destination], self._delay)
            for request in configuration.requested_backfills
            if request.destination in mapped
        ]

    async def _add(self, backfill: Backfill) -> None:
        with suppress(ConflictError):  # noted already
            await self._backfills.save(StoredBackfill(backfill, None))

    async def sweep(self) -> None:
        """Ask for a sweep over all profiles, one at a time. Raises StorageError."""
        async for stored in self._backfills.all():
            if stored.backfill.kind == BackfillKind.SWEEP and not stored.backfill.finished:
                return
        now = self._clock()
        name = f"sweep-{format_instant(now // SECOND * SECOND).replace(':', '')}"
        await self._add(Backfill(name, BackfillKind.SWEEP, BackfillState.WAITING, requested_at=now, due_at=now))

    async def start(self, stored: StoredBackfill) -> None:
        """Start what waits and is due, and look after what runs, without waiting for the timer.

        Raises StorageError, ConflictError.
        """
        await self._advance(stored)

    async def _advance(self, stored: StoredBackfill) -> str:
        backfill, now = stored.backfill, self._clock()
        if backfill.finished:
            return await self._clear_away(stored)
        if backfill.state == BackfillState.CREATED:
            if now < backfill.due_at:
                return ""
            note = "its request was not carried out" if backfill.resync else "it was not committed in time"
            return await self._finish(stored, BackfillState.CANCELLED, note)
        if backfill.kind.for_a_destination:
            snapshot = await self._configuration.knowing(backfill.revision)
            target = snapshot.targets.by_id.get(backfill.destination_id)
            if target is None:
                return await self._finish(stored, BackfillState.CANCELLED, "its dataflow was removed")
            if not target.dataflow.enabled:
                return ""
        if backfill.state == BackfillState.WAITING:
            return await self._start(stored) if now >= backfill.due_at else ""
        return await self._look_after(stored)

    async def _start(self, stored: StoredBackfill) -> str:
        slices = stored.backfill.kind.slices
        await all_of(self._make_slice(stored.backfill, bucket) for bucket in range(slices))
        stored.backfill = replace(stored.backfill, state=BackfillState.RUNNING, started_at=self._clock())
        await self._backfills.save(stored)
        return f"started with {slices} slices" if slices > 1 else "started"

    async def _make_slice(self, backfill: Backfill, bucket: int) -> None:
        part = Slice(backfill.id, bucket, updated_at=self._clock())
        made: Slice | None = part
        try:
            await self._backfills.save_slice(StoredSlice(part, None))
        except ConflictError:
            made = await self._made_anew(backfill, part)
        if made is not None:
            await self._queue.put(SlicePointer(backfill.id, bucket, made.sequence))

    async def _made_anew(self, backfill: Backfill, part: Slice) -> Slice | None:
        """One that is left from the last backfill of the same name begins anew, one whose maker may have died goes on;
        earlier pointers are outdated. None where another run makes it just now: by two pointers it would export twice.
        """
        there = await self._backfills.load_slice(backfill.id, part.bucket)
        if there is None:
            return None
        if there.slice.updated_at >= backfill.requested_at:
            if there.slice.done or self._clock() - there.slice.updated_at < MAKING_TAKES:
                return None
            part = replace(there.slice, updated_at=part.updated_at)
        part = replace(part, sequence=there.slice.sequence + 1)
        try:
            await self._backfills.save_slice(StoredSlice(part, there.etag))
        except ConflictError:
            return None
        return part

    async def _look_after(self, stored: StoredBackfill) -> str:
        slices = await self._backfills.slices(stored.backfill.id)
        waiting = [each for each in slices if not each.slice.done]
        if not waiting:
            failure = next((each.slice.note for each in slices if each.slice.note), "")
            if stored.backfill.kind == BackfillKind.SWEEP and not failure:
                await self._keep_counts(stored.backfill, [each.slice for each in slices])
            return await self._finish(stored, BackfillState.FAILED if failure else BackfillState.DONE, failure)
        stalled = [each for each in waiting if self._clock() - each.slice.updated_at > STALLED_AFTER]
        for each in stalled:
            part = replace(each.slice, sequence=each.slice.sequence + 1, updated_at=self._clock())
            try:
                await self._backfills.save_slice(StoredSlice(part, each.etag))
            except ConflictError:
                continue  # it is not stalled after all
            await self._queue.put(SlicePointer(part.backfill_id, part.bucket, part.sequence))
        return f"{len(stalled)} slices started again" if stalled else ""

    async def _keep_counts(self, sweep: Backfill, slices: list[Slice]) -> None:
        members = members_of(slices, sweep.requested_at)
        if members is not None:
            await self._audience_counts.keep(counted_at(sweep.requested_at), members)

    async def _finish(self, stored: StoredBackfill, state: BackfillState, note: str) -> str:
        order = stored.backfill.resync
        resync = replace(order, keys=()) if order else None
        stored.backfill = replace(stored.backfill, state=state, finished_at=self._clock(), note=note, resync=resync)
        await self._backfills.save(stored)
        if stored.backfill.upload is not None:
            await self._files.delete(stored.backfill.id)
        return str(state)

    async def _clear_away(self, stored: StoredBackfill) -> str:
        """What is left of a backfill that has ended: an upload's file at first, the rest when it is long ago."""
        backfill, now = stored.backfill, self._clock()
        if now - backfill.finished_at > HISTORY:
            await self._backfills.delete(backfill.id)
            return "forgotten"
        order = backfill.upload
        if order is None or order.cleared or now < order.writable_until + WRITING_TAKES:
            return ""
        await self._files.delete(backfill.id)
        stored.backfill = replace(backfill, upload=replace(order, cleared=True))
        await self._backfills.save(stored)
        return "file deleted for good"

    async def all(self, configuration: Configuration | None = None) -> list[Backfill]:
        """Every backfill, resync and sweep, the oldest first, those included that `run` has not noted yet, and the
        uploads that were committed; redrives show as what is undelivered. `configuration`: as the caller has just read
        it, else it is read here.

        Raises StorageError.
        """
        requested = self._requested(configuration or (await self._store.load()).configuration)
        stored = [stored.backfill async for stored in self._backfills.all()]
        noted = [
            backfill
            for backfill in stored
            if backfill.state != BackfillState.CREATED
            and backfill.kind != BackfillKind.REDRIVE
            and (backfill.upload is None or backfill.upload.time)
        ]
        ids = {backfill.id for backfill in noted}
        new = [backfill for backfill in requested if backfill.id not in ids]
        return sorted([*noted, *new], key=lambda backfill: (backfill.requested_at, backfill.id))

    async def cancel(self, backfill_id: str) -> Backfill:
        """End a backfill, a resync, a sweep or an upload; slices at work stop at their next checkpoint. What has ended
        stays as it is.

        Raises NoSuchBackfillError, StorageError, ConflictError when it changes at the same moment.
        """
        stored = await self._backfills.load(backfill_id)
        if stored is None:  # perhaps `run` has not noted it yet: then it is noted as cancelled
            requested = self._requested((await self._store.load()).configuration)
            new = next((backfill for backfill in requested if backfill.id == backfill_id), None)
            if new is None:
                raise NoSuchBackfillError(backfill_id)
            stored = StoredBackfill(new, None)
        if not stored.backfill.finished:
            await self._finish(stored, BackfillState.CANCELLED, "cancelled on request")
        return stored.backfill
