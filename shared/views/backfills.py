"""Backfills, resyncs, sweeps and uploads at work."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from shared.domain.backfills.resync import ResyncOrder
from shared.services.backfills.status import BackfillStatus
from shared.views.view import Instant, InstantOrNone, Share, TextOrNone, View


class BackfilledAudienceView(View):
    namespace: str
    id: str
    name: str = Field(description="As the catalog has it; empty where it does not")
    since: InstantOrNone = Field(description="Of members saved since then; null for all of them")


class ProgressView(View):
    members: int = Field(description="Come past so far")
    exported: int
    undelivered: int
    share: Share = Field(description="From 0 to 1")
    members_per_second: Annotated[float, BeforeValidator(lambda rate: round(rate, 1))]
    seconds_left: Annotated[int | None, BeforeValidator(lambda left: None if left is None else round(left))]


class StandstillView(View):
    reason: Literal["not-due", "not-started", "paused", "destination-down", "live-changes", "held", "stalled"]
    why: str = Field(description="The same in words; for `held`, what its slices say")
    since: InstantOrNone = Field(description="Null where that is not known")


class ResyncView(View):
    """What was asked for; members that do not belong to the `scope` are null."""

    scope: Literal["everything", "audience", "profiles", "saved-since", "key-range"]
    since: InstantOrNone
    first: TextOrNone = Field(description="The least `profileKey`")
    last: TextOrNone = Field(description="The greatest one")
    profiles: int | None = Field(description="How many were named")

    @classmethod
    def of(cls, order: ResyncOrder) -> "ResyncView":
        return cls(
            scope=order.scope,
            since=order.since,
            first=order.first,
            last=order.last,
            profiles=order.profiles or None,
        )


class BackfillView(View):
    id: str
    kind: Literal["backfill", "resync", "sweep", "upload"]
    destination: str | None = Field(description="Null for sweeps and uploads, which are for no destination")
    audiences: list[BackfilledAudienceView]
    resync: ResyncView | None = Field(description="Null but for resyncs")
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    note: str = Field(description="Why it ended as it did")
    requested_at: Instant
    due_at: Instant
    started_at: InstantOrNone
    finished_at: InstantOrNone
    progress: ProgressView
    standstill: StandstillView | None = Field(description="Why it does not go on, or slowly; null if it does")

    @classmethod
    def of(cls, status: BackfillStatus) -> "BackfillView":
        backfill = status.backfill
        return cls(
            id=backfill.id,
            kind=backfill.kind,
            destination=backfill.destination_id or None,
            audiences=[
                BackfilledAudienceView(namespace=key[0], id=key[1], name=status.names.get(key, ""), since=since)
                for key, since in backfill.audiences
            ],
            resync=ResyncView.of(backfill.resync) if backfill.resync else None,
            state=backfill.state,
            note=backfill.note,
            requested_at=backfill.requested_at,
            due_at=backfill.due_at,
            started_at=backfill.started_at,
            finished_at=backfill.finished_at,
            progress=ProgressView.model_validate(status.progress),
            standstill=status.standstill,
        )


class BackfillList(View):
    backfills: list[BackfillView]
