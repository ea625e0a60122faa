"""Long redrives, in slices that several instances take: as fast as hub, storage and live changes let them."""

from contextlib import suppress
from dataclasses import dataclass, field

from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState, Slice, redrive_id
from shared.domain.exports.redrive_pace import RedrivePace
from shared.domain.exports.redrive_slices import RedrivePart, ahead_by, most_together, share_behind
from shared.domain.instants import SECOND
from shared.domain.profile_key import profile_key
from shared.errors import ConflictError
from shared.ports.backfills import BackfillStore, StoredBackfill
from shared.ports.health import HealthStore
from shared.ports.time import Clock
from shared.ports.undelivered import StoredUndelivered, UndeliveredStore
from shared.services.backfills.planner import PlanBackfills
from shared.services.backfills.slices import Step
from shared.services.configuration.cache import ConfigurationCache, ConfigurationSnapshot
from shared.services.delivery.circuit_breakers import CircuitBreakers
from shared.services.delivery.redrive_pass import RedrivePass
from shared.services.delivery.retry import RetryExport
from shared.services.in_hand.live_traffic import LiveTraffic

LOOKED_AT_IN_A_STEP = 1_000
"""Rows, for most of them may not be for a redrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOutRedrives:
    """One at a time for a destination, under a name of its own, which the next one has again."""

    backfills: BackfillStore
    plan: PlanBackfills
    clock: Clock

    async def under_way(self) -> set[str]:
        return {
            stored.backfill.destination_id
            async for stored in self.backfills.all()
            if stored.backfill.kind == BackfillKind.REDRIVE and not stored.backfill.finished
        }

    async def look_after(self, destination_id: str) -> int | None:
        stored = await self.backfills.load(redrive_id(destination_id))
        if stored is None:
            return 0
        with suppress(ConflictError):  # another run is at it
            await self.plan.start(stored)
        if not stored.backfill.finished:
            return None
        return sum(part.slice.exported for part in await self.backfills.slices(stored.backfill.id))

    async def hand_out(self, destination_id: str) -> None:
        now = self.clock()
        stored = await self.backfills.load(redrive_id(destination_id))
        if stored is not None and not stored.backfill.finished:
            return
        new = Backfill(
            id=redrive_id(destination_id),
            kind=BackfillKind.REDRIVE,
            state=BackfillState.WAITING,
            requested_at=now,
            due_at=now,
            destination_id=destination_id,
        )
        handed_out = StoredBackfill(new, stored.etag if stored else None)
        with suppress(ConflictError):  # another run is at it
            await self.backfills.save(handed_out)
            await self.plan.start(handed_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveSlices:
    """Starts the work on slices. `most_per_second`: of all slices of a destination; `grace` as for the watch, in
    seconds. What a worker has learned of its pace to a destination, all of its slices share.
    """

    configuration: ConfigurationCache
    undelivered: UndeliveredStore
    health: HealthStore
    retry: RetryExport
    breakers: CircuitBreakers
    traffic: LiveTraffic
    clock: Clock
    most_per_second: float
    grace: float
    paces: dict[str, RedrivePace] = field(default_factory=dict)

    def __call__(self, backfill: Backfill, part: Slice, /) -> "_SliceOfRows":
        return _SliceOfRows(self, backfill, part)


class _SliceOfRows:
    """It ends, too, where trying is in vain for now: `watch_destinations` sees to what is left."""

    def __init__(self, parts: RedriveSlices, backfill: Backfill, part: Slice) -> None:
        self._parts = parts
        self._backfill = backfill
        self._destination_id = backfill.destination_id
        rows = RedrivePart.of(part.bucket)
        self._cursor = part.cursor or rows.after
        self._sent = part.members
        self._rows = parts.undelivered.part(self._destination_id, rows, self._cursor)
        self._next: _Rows | None = None
        self._pass: RedrivePass | None = None

    async def step(self) -> Step:
        snapshot = await self._parts.configuration.current()
        if self._pass is None:
            self._pass = await self._begin(snapshot)
        if self._pass is None or self._pass.all_fail or self._takes_nothing(snapshot):
            return Step()
        self._pass.snapshot = snapshot
        limit = self._parts.most_per_second
        pace = self._parts.paces.get(self._destination_id, RedrivePace(limit))
        rows = self._next = self._next or await self._read(self._pass, min(pace.at_once, most_together(limit)))
        ahead_by = self._ahead_by(len(rows.wanted), limit)
        if ahead_by:
            return Step(cursor=self._cursor, share=share_behind(self._cursor), pause=ahead_by, rest=0.0)
        self._next, self._cursor = None, rows.last
        if not rows.wanted:
            return self._step(rows, rest=0.0)
        tried, beside_changes = await self._pass.attempt(rows.wanted), self._parts.traffic.busy
        self._sent += len(rows.wanted)
        # Changes may be at work on another instance, which wait for the same hub and storage: so always as beside some.
        self._parts.paces[self._destination_id] = pace.after(tried.took, failed=tried.failed, beside_changes=True)
        rest = pace.yields(tried.took, beside_changes=beside_changes) / SECOND
        return self._step(rows, members=len(rows.wanted), exported=tried.settled, rest=rest)

    def _step(self, rows: "_Rows", *, members: int = 0, exported: int = 0, rest: float) -> Step:
        return Step(
            cursor="" if rows.ended else self._cursor,
            share=share_behind(self._cursor),
            members=members,
            exported=exported,
            undelivered=members - exported,
            rest=rest,
        )

    def _ahead_by(self, more: int, limit: float) -> float:
        """Seconds to wait before so many more are sent."""
        return ahead_by(self._sent + more, self._backfill.started_at, self._parts.clock(), limit) / SECOND

    async def _begin(self, snapshot: ConfigurationSnapshot) -> RedrivePass | None:
        """None where somebody may count on what is parked."""
        began = self._parts.clock()
        trouble = (await self._parts.health.load()).get(self._destination_id)
        if trouble is not None and trouble.may_be_believed(began, int(self._parts.grace * SECOND)):
            return None
        request = (await self._parts.health.requests()).get(self._destination_id)
        return RedrivePass(self._parts.retry, self._parts.clock, self._destination_id, snapshot, request, began)

    def _takes_nothing(self, snapshot: ConfigurationSnapshot) -> bool:
        target = snapshot.targets.by_id.get(self._destination_id)
        if target is None or not target.dataflow.enabled:
            return True
        return self._parts.breakers.open_since(self._destination_id, snapshot) is not None

    async def _read(self, a_pass: RedrivePass, most: int) -> "_Rows":
        """At most so many rows to try next, perhaps none."""
        rows = _Rows([], self._cursor)
        for _ in range(LOOKED_AT_IN_A_STEP):
            if (stored := await anext(self._rows, None)) is None:
                rows.ended = True
                break
            rows.last = profile_key(stored.row.profile_id)
            if await a_pass.wants(stored):
                rows.wanted.append(stored)
                if len(rows.wanted) == most:
                    break
        return rows


@dataclass(slots=True)
class _Rows:
    """What to try next; `last` is the key of the last row that was looked at, `ended` whether there are no more."""

    wanted: list[StoredUndelivered]
    last: str
    ended: bool = False
