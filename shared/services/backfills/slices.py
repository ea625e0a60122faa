"""Works on a slice of a backfill, a sweep, an upload or a redrive.

For at most a minute, with checkpoints; then it passes on the rest.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from shared.domain.backfills.backfill import Backfill, BackfillKind, Slice
from shared.domain.backfills.standstill import LIVE_CHANGES_FIRST
from shared.domain.instants import SECOND
from shared.domain.messages.pointers import SlicePointer
from shared.errors import ConflictError
from shared.ports.backfills import BackfillStore, SliceQueue, StoredSlice
from shared.ports.time import Clock, Sleep
from shared.services.in_hand.live_traffic import LiveTraffic

BUDGET_SECONDS = 50.0
CHECKPOINT_SECONDS = 5.0
CHECKPOINT_MEMBERS = 1_000
LOOKED_AFTER_SECONDS = 5.0
"""How often a slice looks whether its backfill is still to be done."""
YIELD_FACTOR = 3.0
"""While the worker is busy with changes, how long it rests after each step, as a multiple of the step."""
STEPS_AT_A_TIME = 1
"""Of all slices of a worker. More would go faster than the pace, and live changes would wait for all of them."""


class SliceOutcome(StrEnum):
    """`waiting`: nothing can be done now; `run_backfill` brings the slice again. `superseded`: somebody else has it."""

    DONE = "done"
    PASSED_ON = "passed on"
    WAITING = "waiting"
    OUTDATED = "outdated"
    SUPERSEDED = "superseded"


@dataclass(slots=True)
class Step:
    """What one step of a slice did; `cursor` is "" at the end of the slice. `hold`: why it cannot go on now.

    `failed`: why it never can. `pause`: seconds to wait before the next step. `tally`: the slice's from now on. `rest`:
    seconds for which all slices of the worker wait; None where it is to go by the pace of backfills.
    """

    cursor: str = ""
    share: float = 1.0
    members: int = 0
    exported: int = 0
    undelivered: int = 0
    hold: str = ""
    failed: str = ""
    pause: float = 0.0
    tally: str = ""
    rest: float | None = None


class SliceWork(Protocol):
    """The work of one kind of slice, from wherever its cursor is."""

    async def step(self) -> Step:
        """Do the next part, some fifty or a hundred profiles. Raises StorageError, after which it is done again."""


class StartWork(Protocol):
    def __call__(self, backfill: Backfill, part: Slice, /) -> SliceWork: ...


class WorkSlices:
    """`kinds` starts the work of each kind of backfill; a worker exports at most `most_per_second` for them all."""

    def __init__(
        self,
        *,
        backfills: BackfillStore,
        queue: SliceQueue,
        kinds: dict[BackfillKind, StartWork],
        traffic: LiveTraffic,
        clock: Clock,
        sleep: Sleep,
        most_per_second: float,
    ) -> None:
        self._backfills = backfills
        self._queue = queue
        self._kinds = kinds
        self._traffic = traffic
        self._clock = clock
        self._sleep = sleep
        self._export_takes = SECOND / most_per_second
        self._paced_until = 0.0
        self._turns = asyncio.Semaphore(STEPS_AT_A_TIME)

    async def work(self, pointer: SlicePointer) -> SliceOutcome:
        """Work on the slice that `pointer` names. Raises StorageError, after which the pointer is to come again."""
        stored = await self._backfills.load_slice(pointer.backfill_id, pointer.bucket)
        backfill = await self._running(pointer.backfill_id)
        if stored is None or stored.slice.done or backfill is None:
            return SliceOutcome.OUTDATED
        if stored.slice.sequence != pointer.sequence:
            return SliceOutcome.OUTDATED
        try:
            return await self._work(backfill, stored, pointer)
        except ConflictError:
            return SliceOutcome.SUPERSEDED

    async def failed(self, pointer: SlicePointer) -> None:
        """Note on the slice that it failed at every delivery. Raises StorageError."""
        stored = await self._backfills.load_slice(pointer.backfill_id, pointer.bucket)
        if stored is None or stored.slice.done or stored.slice.sequence != pointer.sequence:
            return
        with suppress(ConflictError):  # somebody works on it after all
            await self._save(stored, replace(stored.slice, note="failed at every delivery; read the log"))

    async def _running(self, backfill_id: str) -> Backfill | None:
        stored = await self._backfills.load(backfill_id)
        return stored.backfill if stored and not stored.backfill.finished else None

    async def _work(self, backfill: Backfill, stored: StoredSlice, pointer: SlicePointer) -> SliceOutcome:
        await self._save(stored, stored.slice)  # from now on nobody else with this pointer can save
        work = self._kinds[backfill.kind](backfill, stored.slice)
        until = self._clock() + int(BUDGET_SECONDS * SECOND)
        part, looked_at = stored.slice, self._clock()
        while True:
            async with self._turns:
                began = self._clock()
                step = await work.step()
                gave_way = await self._give_way(began, step)
            part = _advanced(part, step)
            if gave_way and not part.done and not part.note:
                part = replace(part, note=LIVE_CHANGES_FIRST)
            if part.done or step.hold:
                await self._save(stored, part)
                return SliceOutcome.DONE if part.done else SliceOutcome.WAITING
            if self._clock() >= until:
                await self._save(stored, replace(part, sequence=part.sequence + 1))
                await self._queue.put(replace(pointer, sequence=stored.slice.sequence))
                return SliceOutcome.PASSED_ON
            if self._needs_checkpoint(backfill.kind, part, stored.slice):
                await self._save(stored, part)
            if self._clock() - looked_at >= LOOKED_AFTER_SECONDS * SECOND:
                looked_at = self._clock()
                if await self._running(backfill.id) is None:
                    return SliceOutcome.OUTDATED
            if step.pause:
                await self._sleep(step.pause)

    async def _save(self, stored: StoredSlice, part: Slice) -> None:
        stored.slice = replace(part, updated_at=self._clock())
        await self._backfills.save_slice(stored)

    def _needs_checkpoint(self, kind: BackfillKind, part: Slice, saved: Slice) -> bool:
        """What a step has exported, whoever goes on from the checkpoint before it exports again: so those come after
        each of them, at one request for fifty exports. What a redrive has sent has no row any more.
        """
        return (
            (kind != BackfillKind.REDRIVE and part.exported > saved.exported)
            or part.members - saved.members >= CHECKPOINT_MEMBERS
            or self._clock() - saved.updated_at >= CHECKPOINT_SECONDS * SECOND
        )

    async def _give_way(self, began: int, step: Step) -> bool:
        """Rest after a step, for the pace and for the changes that come in; the next slice rests with it. Whether there
        are such changes.
        """
        if step.rest is not None:
            if step.rest > 0:
                await self._sleep(step.rest)
            return step.rest > 0
        now = self._clock()
        self._paced_until = max(self._paced_until, began) + step.exported * self._export_takes
        rest = (self._paced_until - now) / SECOND
        busy = self._traffic.busy
        if busy:
            rest = max(rest, YIELD_FACTOR * (now - began) / SECOND)
        if rest > 0:
            await self._sleep(rest)
        return busy


def _advanced(part: Slice, step: Step) -> Slice:
    if step.hold:
        return replace(part, note=step.hold)
    if step.failed:
        return replace(part, done=True, note=step.failed)
    return replace(
        part,
        cursor=step.cursor,
        share=step.share,
        done=not step.cursor,
        members=part.members + step.members,
        exported=part.exported + step.exported,
        undelivered=part.undelivered + step.undelivered,
        note="",
        tally=step.tally or part.tally,
    )
