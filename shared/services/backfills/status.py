"""How far backfills, sweeps and uploads are, and why one stands still."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.concurrency import all_of
from shared.domain.backfills.backfill import Backfill, Progress
from shared.domain.backfills.standstill import Standstill, standstill_of
from shared.domain.configuration.model import Configuration
from shared.domain.profile.memberships import AudienceKey
from shared.errors import NoSuchBackfillError
from shared.ports.backfills import BackfillStore
from shared.ports.configuration import ConfigurationStore
from shared.ports.health import HealthStore
from shared.ports.time import Clock
from shared.services.backfills.planner import PlanBackfills


@dataclass(frozen=True, slots=True)
class BackfillStatus:
    """As it was at `now` (microseconds); `names` are those of audiences, as far as the catalog has them."""

    backfill: Backfill
    progress: Progress
    standstill: Standstill | None
    names: Mapping[AudienceKey, str]
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillStatuses:
    """All raise StorageError."""

    plan: PlanBackfills
    backfills: BackfillStore
    store: ConfigurationStore
    health: HealthStore
    clock: Clock

    async def all(
        self,
        destination_id: str | None = None,
        *,
        most: int | None = None,
        configuration: Configuration | None = None,
    ) -> list[BackfillStatus]:
        """As `PlanBackfills.all` lists them; those to one destination, or every one; the latest `most`, or all."""
        configuration = configuration or await self._configuration()
        found = [each for each in await self.plan.all(configuration) if destination_id in {None, each.destination_id}]
        return await self._of(found[-most:] if most else found, configuration)

    async def newest(self, over: int, configuration: Configuration) -> tuple[list[BackfillStatus], int]:
        """All that are under way and the last `over` that are not, the newest first, and how many more there are.

        `configuration`: as it is stored now.
        """
        every = list(reversed(await self.plan.all(configuration)))
        ended = [each for each in every if each.finished]
        left_out = {each.id for each in ended[over:]}
        return await self._of([each for each in every if each.id not in left_out], configuration), len(left_out)

    async def get(self, backfill_id: str) -> BackfillStatus:
        """Raises NoSuchBackfillError."""
        for each in await self.plan.all():
            if each.id == backfill_id:
                return await self.of(each)
        raise NoSuchBackfillError(backfill_id)

    async def of(self, backfill: Backfill) -> BackfillStatus:
        (status,) = await self._of([backfill], await self._configuration())
        return status

    async def _configuration(self) -> Configuration:
        return (await self.store.load()).configuration

    async def _of(self, backfills: Sequence[Backfill], configuration: Configuration) -> list[BackfillStatus]:
        troubles = await self.health.load()
        stored = await all_of(self.backfills.slices(backfill.id) for backfill in backfills)
        now = self.clock()
        names = {audience.key: audience.name for audience in configuration.audiences}
        paused = {dataflow.id for dataflow in configuration.dataflows if not dataflow.enabled}
        down = {each.destination_id: each.since for each in troubles.values() if not each.recovering}
        statuses = []
        for backfill, rows in zip(backfills, stored, strict=True):
            slices, destination_id = [row.slice for row in rows], backfill.destination_id
            standstill = standstill_of(
                backfill, slices, paused=destination_id in paused, down_since=down.get(destination_id, 0), now=now
            )
            statuses.append(BackfillStatus(backfill, Progress.of(backfill, slices, now), standstill, names, now))
        return statuses
