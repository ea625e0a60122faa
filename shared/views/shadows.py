"""A mapping that is tried beside the live one, and what both came to."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.domain.audiences.monthly import Month
from shared.domain.configuration.model import Dataflow
from shared.domain.configuration.shadows import LONGEST_HOURS, SHORTEST_HOURS, USUAL_HOURS
from shared.domain.instants import MILLISECOND
from shared.domain.shadow_counts import ExportCounts
from shared.services.shadows.dataflows import ShadowFigures
from shared.views.audiences import EstimateView
from shared.views.configuration import DataflowResource
from shared.views.view import Instant, View

_Seconds = Annotated[float, BeforeValidator(lambda seconds: round(seconds, 1))]


class ShadowRequest(View):
    """`mapping` is what `PUT /api/dataflows/{destination_id}` would be given; its `enabled` says nothing here."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=True, strict=True)

    mapping: DataflowResource
    hours: int = Field(default=USUAL_HOURS, ge=SHORTEST_HOURS, le=LONGEST_HOURS, description="How long it is tried")


class MonthView(View):
    """What exports come to in a month that goes on like this. `throughputUnits`: of the busiest ten minutes. `dollars`:
    at list price, for events and throughput units.
    """

    events: int
    throughput_units: int
    dollars: Annotated[float, BeforeValidator(lambda dollars: round(dollars, 2))]


class MappingCountsView(View):
    exports: int
    by_reason: dict[str, int] = Field(description="The same, by their reasons")
    bytes: int = Field(description="Of their bodies")
    month: MonthView | None = Field(description="Null before ten minutes were counted")

    @classmethod
    def of(cls, counts: ExportCounts, month: Month | None) -> "MappingCountsView":
        return cls(
            exports=counts.exports,
            by_reason=dict(sorted(counts.by_reason.items())),
            bytes=counts.bytes,
            month=MonthView.model_validate(month) if month else None,
        )


class ShadowView(View):
    """`live` and `candidate`: what changes called for by either mapping; backfills, resyncs and what is sent twice are
    in neither. `liveChanged`: the live mapping, or how its exports look, was changed since it began, so that `live` is
    of more than one. `backfill`, `removals`: what making it live comes to now, and what consumers could read no more.
    """

    id: str
    state: Literal["running", "over"]
    started_at: Instant
    ends_at: Instant
    seconds: _Seconds = Field(description="For how long it was counted")
    seconds_left: _Seconds
    mapping: Dataflow
    live_changed: bool
    live: MappingCountsView
    candidate: MappingCountsView
    both: int = Field(description="Changes that both export")
    differing: int = Field(description="How many of these with bodies that differ, `_export` aside")
    only_live: int = Field(description="Changes that the live mapping alone exports")
    only_candidate: int = Field(description="Changes that the candidate alone exports")
    backfill: EstimateView | None
    removals: list[str]

    @classmethod
    def of(cls, figures: ShadowFigures) -> "ShadowView":
        shadow, counts = figures.tried.shadow, figures.counts
        return cls(
            id=shadow.id,
            state="over" if figures.over else "running",
            started_at=shadow.started_at * MILLISECOND,
            ends_at=shadow.ends_at * MILLISECOND,
            seconds=figures.seconds,
            seconds_left=figures.seconds_left,
            mapping=shadow.candidate,
            live_changed=figures.live_changed,
            live=MappingCountsView.of(counts.live, figures.live_month),
            candidate=MappingCountsView.of(counts.candidate, figures.candidate_month),
            both=counts.both,
            differing=counts.differing,
            only_live=counts.only_live,
            only_candidate=counts.only_candidate,
            backfill=EstimateView.of(figures.backfill) if figures.backfill else None,
            removals=figures.removals,
        )

    def rows(self) -> list[tuple[str, str, str]]:
        """As people read it: what is counted, of the live mapping, of the candidate."""
        live, candidate = self.live, self.candidate
        numbers = [("Exports", live.exports, candidate.exports)]
        numbers += [
            (f"by {' and '.join(each.split(','))}", live.by_reason.get(each, 0), candidate.by_reason.get(each, 0))
            for each in sorted({*live.by_reason, *candidate.by_reason})
        ]
        numbers += [
            ("Only by this one", self.only_live, self.only_candidate),
            ("Bytes of bodies", live.bytes, candidate.bytes),
        ]
        ours, theirs = live.month, candidate.month
        if ours is not None and theirs is not None:
            numbers += [
                ("Exports a month", ours.events, theirs.events),
                ("Throughput units, at the busiest", ours.throughput_units, theirs.throughput_units),
            ]
        rows = [(label, f"{one:,}", f"{other:,}") for label, one, other in numbers]
        if ours is not None and theirs is not None:
            rows.append(("USD a month", f"{ours.dollars:,.2f}", f"{theirs.dollars:,.2f}"))
        return rows
