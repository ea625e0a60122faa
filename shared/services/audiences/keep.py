"""Keeps what a sweep has counted of each audience, with who entered and left since the sweep before it."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain.audiences.counts import CountedAudiences
from shared.domain.instants import DAY
from shared.domain.profile.memberships import AudienceKey
from shared.domain.runs import MOST_AUDIENCES, NO_DESTINATION, Crossings, add_crossings
from shared.ports.audience_counts import AudienceCountStore
from shared.ports.runs import MetricSink, RunStore
from shared.services.configuration.cache import ConfigurationCache

KEPT_DAYS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAudienceCounts:
    store: AudienceCountStore
    runs: RunStore
    configuration: ConfigurationCache
    metrics: MetricSink

    async def keep(self, at: int, members: Mapping[AudienceKey, int]) -> None:
        """What a sweep that has ended counted as of `at`; what is older than KEPT_DAYS goes.

        Keeping the same once more does no harm. Raises StorageError.
        """
        earlier = [each for each in await self.store.since(at - KEPT_DAYS * DAY) if each.at < at]
        since = earlier[-1].at if earlier else at - DAY
        crossings: Crossings = {}
        for slot in await self.runs.read(NO_DESTINATION, since, at):
            add_crossings(crossings, slot.counts.audiences)
        known = set(sorted(crossings, key=lambda audience: audience not in members)[:MOST_AUDIENCES])
        kept = {audience: pair for audience, pair in crossings.items() if audience in known}
        await self.store.put(CountedAudiences(at, since, members, kept))
        await self.store.forget(at - KEPT_DAYS * DAY)
        mapped = (await self.configuration.current()).targets.by_audience
        self.metrics.publish_members({audience: members.get(audience, 0) for audience in mapped})
