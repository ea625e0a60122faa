"""The configuration's own models with what is known of each entry, and what a change of it comes to."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from shared.domain.audiences.counts import AudienceCount
from shared.domain.audiences.estimate import BackfillEstimate
from shared.domain.configuration.model import (
    AS_STORED,
    Audience,
    Configuration,
    Dataflow,
    Destination,
    Identifier,
    RequestedBackfill,
    Text,
)
from shared.domain.configuration.plan import Plan, warnings_of
from shared.domain.configuration.schedules import stale_schedules_of
from shared.domain.instants import format_instant
from shared.ports.health import DestinationTrouble
from shared.views.audiences import EstimateView
from shared.views.view import InstantOrNone, View, read_only


class AudienceResource(Audience):
    """An entry of the catalog."""

    id: Text = Field(default="", description="As in the path")
    members: int | None = read_only("How many profiles are in it by now; null before the first sweep")
    counted_at: InstantOrNone = read_only("As of when the last sweep counted")
    entered_since: int | None = read_only("How many profiles entered it since then")
    left_since: int | None = read_only("How many profiles left it since then")

    @classmethod
    def of(cls, audience: Audience, count: AudienceCount) -> "AudienceResource":
        return cls(
            **audience.model_dump(),
            members=count.members,
            counted_at=None if count.counted_at is None else format_instant(count.counted_at),
            entered_since=count.since_counted.entered,
            left_since=count.since_counted.left,
        )


class AudienceList(View):
    audiences: list[AudienceResource]
    warnings: list[str] = Field(description="Those that no path of this API can name")


class DestinationHealth(View):
    """`down` since exports failed three times in a row; `recovering` once it answers again."""

    state: Literal["healthy", "down", "recovering"]
    since: InstantOrNone = None
    error: str | None = None
    code: str | None = None

    @classmethod
    def of(cls, trouble: DestinationTrouble | None) -> "DestinationHealth":
        if trouble is None:
            return cls(state="healthy")
        state: Literal["recovering", "down"] = "recovering" if trouble.recovering else "down"
        return cls(state=state, since=trouble.since, error=trouble.error, code=trouble.code)


class DestinationResource(Destination):
    """A destination with what is known of it."""

    id: Identifier = Field(default="", description="As in the path")
    health: DestinationHealth | None = read_only("What became of the last exports")
    warnings: list[str] = read_only("What is probably not meant", list)

    @classmethod
    def of(
        cls, destination: Destination, configuration: Configuration, troubles: Mapping[str, DestinationTrouble]
    ) -> "DestinationResource":
        active = any(each.id == destination.id for each in configuration.dataflows)
        return cls(
            **destination.model_dump(),
            health=DestinationHealth.of(troubles.get(destination.id)),
            warnings=[] if active else ["has no dataflow, so nothing is exported to it"],
        )


class DestinationList(View):
    destinations: list[DestinationResource]
    warnings: list[str]


class DataflowResource(Dataflow):
    """A dataflow with what is known of it."""

    id: Identifier = Field(default="", description="As in the path")
    config_revision: int = read_only("Of the exports by this mapping", int)
    warnings: list[str] = read_only("What is probably not meant, or more than the app is sized for", list)

    @classmethod
    def of(cls, dataflow: Dataflow, configuration: Configuration, now_ms: int) -> "DataflowResource":
        known = {
            "config_revision": configuration.revisions.get(dataflow.id, 0),
            "warnings": warnings_of(configuration, dataflow) + stale_schedules_of(dataflow, now_ms),
        }
        return cls.model_validate(dataflow.model_dump() | known, context=AS_STORED)


class DataflowList(View):
    dataflows: list[DataflowResource]


class PlannedChangeView(View):
    kind: str
    id: str
    action: str


class PlanView(View):
    """What a change of the configuration comes to; `dryRun`: and it was not carried out. `removals`: what consumers of
    destinations can read no more. `estimates`: what each of `backfills` will come to.
    """

    dry_run: bool
    changes: list[PlannedChangeView]
    backfills: list[dict[str, Any]]
    estimates: list[EstimateView]
    removals: list[str]
    warnings: list[str]

    @classmethod
    def of(cls, planned: Plan, estimates: Sequence[BackfillEstimate], *, dry_run: bool) -> "PlanView":
        changes = [PlannedChangeView.model_validate(each) for each in planned.changes]
        backfills = [_requested(each) for each in planned.backfills]
        return cls(
            dry_run=dry_run,
            changes=changes,
            backfills=backfills,
            estimates=[EstimateView.of(each) for each in estimates],
            removals=planned.removals,
            warnings=planned.warnings,
        )


def _requested(backfill: RequestedBackfill) -> dict[str, Any]:
    return backfill.model_dump(by_alias=True, exclude_none=True, include={"id", "destination", "audiences", "since"})
