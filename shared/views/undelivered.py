"""What destinations have not heard of."""

from dataclasses import fields
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from shared.domain.exports.recovery import RecoveryProgress
from shared.domain.exports.undelivered import Undelivered
from shared.domain.profile.audience_transitions import AudienceTransition
from shared.domain.profile_key import profile_key
from shared.ports.undelivered import UndeliveredCount
from shared.views.view import Audience, Code, Instant, Share, View

RowState = Literal["retrying", "parked", "dead"]


class TransitionView(View):
    """`at`: when the membership, or the consent, was written."""

    status: Literal["entered", "left"]
    audience: Audience
    at: Instant

    @classmethod
    def of(cls, transition: AudienceTransition) -> "TransitionView":
        return cls(status="entered" if transition.entered else "left", audience=transition.audience, at=transition.at)


class UndeliveredView(View):
    """What a destination has not heard of a profile. `profileKey` is the SHA-256 of the profile id."""

    destination_id: str
    profile_key: str
    profile_id: str
    state: RowState
    profile_version: int
    reasons: list[str]
    occurred_at: Instant
    attempts: int
    first_failed_at: Instant
    last_failed_at: Instant
    last_error: str
    code: Code
    permanent: bool
    transitions: list[TransitionView] = Field(description="Who entered and left, of which its export will tell")

    @classmethod
    def of(cls, row: Undelivered) -> "UndeliveredView":
        told = [TransitionView.of(each) for each in row.transitions]
        columns = {field.name: getattr(row, field.name) for field in fields(row)} | {"transitions": told}
        return cls(**columns, profile_key=profile_key(row.profile_id), profile_version=row.version)


class UndeliveredList(View):
    """`next`: what to give as `token` for the page that follows, null at the end. A page may be short, even empty."""

    undelivered: list[UndeliveredView]
    next: str | None


class UndeliveredCountView(View):
    """`complete` false: there are at least so many."""

    states: dict[str, int]
    total: int
    complete: bool

    @classmethod
    def of(cls, count: UndeliveredCount) -> "UndeliveredCountView":
        return cls(states=count.by_state, total=count.total, complete=count.complete)


class RecoveryView(View):
    """How far a redrive is: of a destination that answers again or was resumed, or one that was asked for.

    `settled`: rows that were sent, or dropped as nobody wants them any more. `total`: with those that are left.
    """

    since: Instant
    at: Instant = Field(description="As of when, a few seconds ago at most while a run works")
    settled: int
    left: int = Field(description="At least so many where `total` is null")
    total: int | None
    share: Share | None
    per_second: Annotated[float, BeforeValidator(lambda rate: round(rate, 1))]
    seconds_left: Annotated[int | None, BeforeValidator(lambda left: None if left is None else round(left))]

    @classmethod
    def of(cls, progress: RecoveryProgress) -> "RecoveryView":
        recovery = progress.recovery
        return cls(
            since=recovery.since,
            at=recovery.at,
            settled=recovery.settled,
            left=progress.left,
            total=progress.total,
            share=progress.share,
            per_second=progress.per_second,
            seconds_left=progress.seconds_left,
        )


class UndeliveredSummary(View):
    """By destination id. `redriveRequestedAt`: redrives that were asked for and are not done; `recoveries`: how far
    redrives are.
    """

    destinations: dict[str, UndeliveredCountView]
    redrive_requested_at: dict[str, Instant]
    recoveries: dict[str, RecoveryView]


class RedriveRequestView(View):
    destination_id: str
    requested_at: Instant


class RedriveView(View):
    """What came of an attempt, and the row as it is after it, null where it is gone."""

    outcome: Literal["sent", "kept", "failed", "refused", "parked", "dropped"]
    undelivered: UndeliveredView | None
