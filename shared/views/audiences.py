"""How many profiles are in audiences, over time, and what backfills of them will come to."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field

from shared.domain.audiences.counts import AudienceCount
from shared.domain.audiences.estimate import BackfillEstimate
from shared.domain.configuration.model import Configuration
from shared.domain.profile.memberships import AudienceKey
from shared.views.view import Audience, Instant, InstantOrNone, View


class CrossedView(View):
    """Who entered and left from `since` on."""

    since: Instant
    entered: int
    left: int


class CountedDayView(View):
    """What a sweep counted; `entered` and `left` since the one before it."""

    at: Instant
    members: int | None
    entered: int
    left: int


class AudienceCountView(View):
    """An audience over time: `counted` is what the last sweep counted at `countedAt`, `members` how many there are by
    now, `text` both for people. `week` and `month` begin with a sweep, so they may be a day longer.
    """

    namespace: str
    id: str
    name: str | None = Field(description="Null where the catalog does not have the audience")
    destinations: list[str] = Field(description="Those that map it")
    members: int | None
    counted: int | None
    counted_at: InstantOrNone
    text: str
    since_counted: CrossedView
    hour: CrossedView
    week: CrossedView
    month: CrossedView
    days: list[CountedDayView] = Field(description="Of the sweeps of the last 30 days, the oldest first")

    @classmethod
    def all_of(
        cls, counts: Mapping[AudienceKey, AudienceCount], configuration: Configuration
    ) -> list["AudienceCountView"]:
        """One for each of `counts`, in their order."""
        names = {each.key: each.name for each in configuration.audiences}
        mapping: dict[AudienceKey, list[str]] = {}
        for dataflow in configuration.dataflows:
            for each in dataflow.audiences:
                mapping.setdefault(each.key, []).append(dataflow.id)
        return [
            cls(
                namespace=key[0],
                id=key[1],
                name=names.get(key),
                destinations=mapping.get(key, []),
                members=count.members,
                counted=count.counted,
                counted_at=count.counted_at,
                text=count.text,
                since_counted=CrossedView.model_validate(count.since_counted),
                hour=CrossedView.model_validate(count.hour),
                week=CrossedView.model_validate(count.week),
                month=CrossedView.model_validate(count.month),
                days=[CountedDayView.model_validate(day) for day in count.days],
            )
            for key, count in counts.items()
        ]


class AudienceCountsView(View):
    """By namespace and id. `memberships` adds up their members: whoever is in two audiences counts twice."""

    audiences: list[AudienceCountView]
    memberships: int


class EstimateView(View):
    """What a backfill will come to at most. `uncounted`: audiences whose members nobody has counted yet, so that they
    are in no figure. `seconds`: at `perSecond`, the pace of one instance. `eventBytes`: of a body, by the exports of
    the last day if `measured`, else assumed. `dollars`: at list price. `more`: what changed during a pause comes
    besides, which is not counted.
    """

    destination: str
    audiences: list[Audience]
    uncounted: list[Audience]
    events: int
    seconds: Annotated[float, BeforeValidator(lambda seconds: round(seconds, 1))]
    per_second: float
    event_bytes: int
    measured: bool
    throughput_units: int
    dollars: Annotated[float, BeforeValidator(lambda dollars: round(dollars, 6))]
    more: bool
    text: str = Field(description="The same for people")

    @classmethod
    def of(cls, found: BackfillEstimate) -> "EstimateView":
        return cls(
            destination=found.destination_id,
            audiences=list(found.audiences),
            uncounted=list(found.uncounted),
            events=found.events,
            seconds=found.seconds,
            per_second=found.pace.per_second,
            event_bytes=found.pace.event_bytes,
            measured=found.pace.measured,
            throughput_units=found.throughput_units,
            dollars=found.dollars,
            more=found.more,
            text=found.text,
        )


class MappingEstimateView(View):
    """What saving a mapping comes to. `backfill`: null where none follows, as while the dataflow is paused."""

    backfill: EstimateView | None
    audiences: list[AudienceCountView] = Field(description="All that it maps")
