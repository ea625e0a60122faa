"""How far the consumers of a destination's hub are behind."""

from typing import Literal

from pydantic import Field

from shared.domain.exports.lag import GroupLag
from shared.domain.exports.lag_look import LagLook, Waited
from shared.views.view import Instant, View

ProblemKind = Literal["not-named", "refused", "not-found", "forbidden", "unreachable", "no-checkpoints", "hub"]


class LagProblem(View):
    """Why nothing can be said, and what to do."""

    kind: ProblemKind
    message: str


class WaitedView(View):
    """In seconds. How old an event is is known from when the app saw its partition end before it, and behind it."""

    at_least: float
    at_most: float | None = Field(description="Null where it came before the app first looked at the hub")


class GroupLagView(View):
    consumer_group: str
    events: int = Field(description="Unread and still in the hub; none of partitions in `earlier`")
    by_partition: dict[str, int] = Field(description="The same for each partition that has some")
    expired: int = Field(description="Events that were never read and are gone")
    oldest_waited: WaitedView | None = Field(description="Null where nothing is unread")
    unread: list[str] = Field(description="Partitions that the group has no checkpoint of: all of their events count")
    earlier: list[str] = Field(description="Partitions whose checkpoint is of an earlier hub of this name")
    unreadable: list[str] = Field(description="Partitions whose checkpoint names no sequence number")
    last_checkpoint_at: Instant
    problems: list[str]

    @classmethod
    def of(cls, group: GroupLag, waited: Waited | None) -> "GroupLagView":
        return cls(
            consumer_group=group.group,
            events=group.events,
            by_partition=group.behind,
            expired=group.expired,
            oldest_waited=None if waited is None else WaitedView.model_validate(waited),
            unread=group.unread,
            earlier=group.earlier,
            unreadable=group.unreadable,
            last_checkpoint_at=group.written_at,
            problems=group.problems(),
        )


class ConsumerLagView(View):
    """`problem` says why there are no `groups`."""

    consumer_checkpoints: str | None = Field(description="The container that was looked into")
    retention_hours: int
    looked_at: Instant
    groups: list[GroupLagView]
    problem: LagProblem | None

    @classmethod
    def of(cls, look: LagLook, retention_hours: int) -> "ConsumerLagView":
        return cls(
            consumer_checkpoints=look.container or None,
            retention_hours=retention_hours,
            looked_at=look.at,
            groups=[GroupLagView.of(group, look.waited(group)) for group in look.groups],
            problem=LagProblem.model_validate({"kind": look.kind, "message": look.problem}) if look.kind else None,
        )
