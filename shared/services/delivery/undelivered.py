"""What destinations have not heard of, for people: page by page, row by row, counted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.concurrency import all_of
from shared.domain.backfills.backfill import redrive_id
from shared.domain.exports.recovery import Recovery, RecoveryProgress
from shared.domain.exports.undelivered import Undelivered, UndeliveredState
from shared.domain.profile_key import profile_key
from shared.ports.backfills import BackfillStore
from shared.ports.health import HealthStore, RedriveRequest
from shared.ports.undelivered import UndeliveredCount, UndeliveredPage, UndeliveredStore
from shared.services.configuration.cache import ConfigurationCache
from shared.services.delivery.undelivered_counts import UndeliveredCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeliveredExports:
    """Trying them again is up to `WatchDestinations`: `redrive_one`, `request_redrive`."""

    undelivered: UndeliveredStore
    counted: UndeliveredCounts
    health: HealthStore
    backfills: BackfillStore
    configuration: ConfigurationCache

    async def page(
        self,
        destination_id: str | None = None,
        state: UndeliveredState | None = None,
        token: str | None = None,
        most: int = 100,
        code: str | None = None,
    ) -> UndeliveredPage:
        """At most `most` rows (up to 1,000), perhaps none though there is a next page.

        Raises BadContinuationError, StorageError.
        """
        return await self.undelivered.page(destination_id, state, token, most, code)

    async def get(self, destination_id: str, profile_key: str) -> Undelivered | None:
        """Raises StorageError."""
        stored = await self.undelivered.load(destination_id, profile_key)
        return None if stored is None else stored.row

    async def of_profile(self, profile_id: str) -> list[Undelivered]:
        """What of a profile each destination has not heard, in a request for each. Raises StorageError."""
        key = profile_key(profile_id)
        targets = (await self.configuration.current()).targets
        found = await all_of(self.get(each, key) for each in sorted([*targets.by_id, *targets.inactive]))
        return [row for row in found if row is not None]

    async def counts(self) -> dict[str, UndeliveredCount]:
        """How many rows each destination has, by its id; of many, some seconds ago. Raises StorageError."""
        targets = (await self.configuration.current()).targets
        destinations = sorted([*targets.by_id, *targets.inactive])
        counts = await self.counted.by_destination()
        return {each: counts.get(each, UndeliveredCount({}, complete=True)) for each in destinations}

    async def count(self, destination_id: str) -> UndeliveredCount:
        """How many rows one destination has; of many, some seconds ago. Raises StorageError."""
        return await self.counted.of(destination_id)

    async def redrives(self) -> dict[str, RedriveRequest]:
        """The redrives that were asked for and are not done, by destination id. Raises StorageError."""
        return await self.health.requests()

    async def recoveries(self, counts: Mapping[str, UndeliveredCount], now: int) -> list[RecoveryProgress]:
        """How far redrives are that go on, by destination id; `counts` as `counts` gives them. Raises StorageError.

        None is of a destination that is down again. Dead rows wait for nobody, unless a redrive of them was asked for.
        """
        asked, troubles = await self.redrives(), await self.health.load()
        down = {each for each, trouble in troubles.items() if not trouble.recovering}
        found = []
        for destination_id, recovery in sorted((await self.health.recoveries()).items()):
            count = counts.get(destination_id)
            if count is None or destination_id in down or not recovery.goes_on(now):
                continue
            recovery = await self._with_slices(recovery)
            dead = 0 if destination_id in asked else count.by_state.get(UndeliveredState.DEAD, 0)
            found.append(RecoveryProgress(recovery, count.total - dead, count.complete))
        return found

    async def _with_slices(self, recovery: Recovery) -> Recovery:
        """With what those have settled who take part in it now."""
        stored = await self.backfills.load(redrive_id(recovery.destination_id))
        if stored is None or stored.backfill.finished:
            return recovery
        parts = [part.slice for part in await self.backfills.slices(stored.backfill.id)]
        settled = sum(part.exported for part in parts)
        at = max((part.updated_at for part in parts if part.exported), default=recovery.at)
        return replace(recovery, settled=recovery.settled + settled, at=max(recovery.at, at))
