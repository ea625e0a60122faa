"""Mappings that are tried beside the live one: begun, watched, and made live or dropped."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from shared.domain.audiences.estimate import BackfillEstimate
from shared.domain.audiences.monthly import Busiest, Month, month_of
from shared.domain.configuration.model import Configuration, ConfigurationFile, Dataflow
from shared.domain.configuration.plan import Plan
from shared.domain.configuration.removals import removals
from shared.domain.configuration.shadows import Tried, begun, without
from shared.domain.instants import MILLISECOND, SECOND
from shared.domain.runs import SLOT, RunSlot
from shared.domain.shadow_counts import ExportCounts, ShadowCounts
from shared.errors import NoShadowError
from shared.ports.time import Clock
from shared.services.audiences.estimate import EstimateBackfills
from shared.services.configuration.edit import Check, EditConfiguration, as_file, unchecked
from shared.services.runs.history import RunHistory

_LEAST = 60 * SECOND
"""So long a stretch counts as at least: a moment's rate says nothing."""


@dataclass(frozen=True, slots=True)
class ShadowFigures:
    """What was counted in `seconds`. `live_month`, `candidate_month`: None while that is too short to tell.

    `live_changed`: the live mapping, or how its exports look, is another than when the shadow began. `backfill`,
    `removals`: what making the candidate live comes to now, and what consumers could read no more.
    """

    tried: Tried
    over: bool
    live_changed: bool
    seconds: float
    seconds_left: float
    counts: ShadowCounts
    live_month: Month | None
    candidate_month: Month | None
    backfill: BackfillEstimate | None
    removals: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowDataflows:
    """All raise NotConfiguredError where the destination has no dataflow, StorageError, and what their check does,
    which is shown a Tried, None where nothing is tried; all but `begin` raise NoShadowError then.
    """

    configuration: EditConfiguration
    history: RunHistory
    estimate_backfills: EstimateBackfills
    clock: Clock

    async def begin(self, candidate: Dataflow, hours: int, check: Check = unchecked) -> bool:
        """Try `candidate` beside the live mapping of its destination, in place of what may be tried there.

        Whether nothing was. Raises ValidationError for what no dataflow may be, ConflictError, ConfigurationError.
        """
        ConfigurationFile(dataflows=[candidate])
        new = True

        def altered(configuration: Configuration) -> Configuration:
            nonlocal new
            before = Tried.of(configuration, candidate.id)
            check(before)
            new = before is None
            return begun(configuration, candidate, self.clock() // MILLISECOND, hours)

        await self.configuration.alter(altered)
        return new

    async def drop(self, destination_id: str, check: Check = unchecked) -> None:
        """Forget it, and what was counted of it. Raises ConflictError."""

        def altered(configuration: Configuration) -> Configuration:
            check(_tried(configuration, destination_id))
            return without(configuration, destination_id)

        await self.configuration.alter(altered)

    async def make_live(self, destination_id: str, check: Check = unchecked) -> Plan:
        """Save the candidate as the live mapping, as any other mapping is saved; then nothing is tried any more.

        Whether the dataflow is paused stays as it is. Raises ConflictError, ConfigurationError.
        """

        def edit(configuration: Configuration) -> ConfigurationFile:
            tried = _tried(configuration, destination_id)
            check(tried)
            return as_file(configuration.with_dataflow(tried.made_live))

        plan = await self.configuration.apply(edit)
        if not plan.changes_something:  # it was live already, which no plan takes for the end of the shadow
            await self.drop(destination_id, check)
        return plan

    async def figures(self, configuration: Configuration, destination_id: str) -> ShadowFigures:
        """What was counted so far, but for the last seconds (FLUSH_SECONDS)."""
        tried, now = _tried(configuration, destination_id), self.clock()
        shadow = tried.shadow
        began, ends = shadow.started_at * MILLISECOND, shadow.ends_at * MILLISECOND
        until = max(began, min(now, ends))
        slots = await self.history.read(destination_id, began, until + 1, SLOT)
        counted = [
            (each, each.counts.shadows[shadow.revision]) for each in slots if shadow.revision in each.counts.shadows
        ]
        total = ShadowCounts()
        for _, counts in counted:
            total.merge(counts)
        seconds = (until - began) / SECOND

        def month(side: Callable[[ShadowCounts], ExportCounts]) -> Month | None:
            rates = [_in_a_slot(slot, side(counts), began, until) for slot, counts in counted]
            most = Busiest(max((events for events, _ in rates), default=0), max((size for _, size in rates), default=0))
            return month_of(side(total).exports, side(total).bytes, seconds, most)

        return ShadowFigures(
            tried,
            over=now >= ends,
            live_changed=configuration.revisions.get(destination_id, 0) != shadow.live_revision,
            seconds=seconds,
            seconds_left=max(0, ends - now) / SECOND,
            counts=total,
            live_month=month(attrgetter("live")),
            candidate_month=month(attrgetter("candidate")),
            backfill=await self.estimate_backfills.of_mapping(configuration, tried.made_live),
            removals=removals(configuration, configuration.with_dataflow(tried.made_live)),
        )


def _tried(configuration: Configuration, destination_id: str) -> Tried:
    tried = Tried.of(configuration, destination_id)
    if tried is None:
        raise NoShadowError(destination_id)
    return tried


def _in_a_slot(slot: RunSlot, counts: ExportCounts, began: int, until: int) -> tuple[float, float]:
    """Events and bytes a second, of the part of the slot in which the shadow ran."""
    seconds = max(_LEAST, min(until, slot.start + SLOT) - max(began, slot.start)) / SECOND
    return counts.exports / seconds, counts.bytes / seconds
