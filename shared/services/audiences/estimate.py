"""What the backfills of a plan will come to."""

from dataclasses import dataclass

from shared.concurrency import all_of, both
from shared.domain.audiences.estimate import ASSUMED_EVENT_BYTES, BackfillEstimate, Pace, audiences_of, estimate
from shared.domain.configuration.model import Configuration, ConfigurationFile, Dataflow, RequestedBackfill
from shared.domain.configuration.plan import Plan, plan_changes
from shared.domain.instants import DAY, MILLISECOND
from shared.ports.time import Clock
from shared.services.audiences.counts import AudienceCounts
from shared.services.runs.history import RunHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateBackfills:
    """`per_second`: the pace of one instance (BACKFILL_PER_SECOND)."""

    counts: AudienceCounts
    history: RunHistory
    clock: Clock
    per_second: float

    async def of_plan(self, plan: Plan) -> list[BackfillEstimate]:
        """One for each of its backfills, in their order. Raises StorageError."""
        return list(await all_of(self._of(each, plan.configuration) for each in plan.backfills))

    async def of_mapping(self, current: Configuration, wanted: Dataflow) -> BackfillEstimate | None:
        """Of saving `wanted`, which is not saved: None where no backfill follows, as while the dataflow is paused.

        Raises ConfigurationError where `wanted` has no destination, StorageError.
        """
        return await self.of_planned(self.plan(current, wanted))

    async def of_planned(self, plan: Plan) -> BackfillEstimate | None:
        """The same of what `plan` returned. Raises StorageError."""
        estimates = await self.of_plan(plan)
        return estimates[0] if estimates else None

    def plan(self, current: Configuration, wanted: Dataflow) -> Plan:
        """What saving `wanted` would change of it, with its schedules turned as of now; the others stay as they are.
        Raises ConfigurationError where it has no destination.
        """
        return plan_changes(current, ConfigurationFile(dataflows=[wanted]), self.clock() // MILLISECOND)

    async def _of(self, backfill: RequestedBackfill, planned: Configuration) -> BackfillEstimate:
        counts, pace = await both(
            self.counts.members_of(audiences_of(backfill, planned)), self._pace(backfill.destination)
        )
        return estimate(backfill, planned, counts, pace)

    async def _pace(self, destination_id: str) -> Pace:
        """With events as large as the destination got in the last day, on average."""
        now = self.clock()
        day = await self.history.totals(destination_id, now - DAY, now + 1)
        exports = day.activated.total()
        return Pace(self.per_second, day.bytes_sent // exports if exports else ASSUMED_EVENT_BYTES, exports > 0)
