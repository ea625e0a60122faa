"""What is kept of a look at a hub and its consumers: how far they are, and where partitions ended at each look before.

From that comes how old the oldest unread event is, without reading it: it came after the last look at which its
partition ended before it, and before the first at which its partition ended behind it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from shared.domain.exports.lag import GroupLag, HubEnds
from shared.domain.instants import MINUTE, SECOND
from shared.domain.profile_key import partition_of_key

HOUR = 60 * MINUTE
_ALL_KEPT_FOR = HOUR
CLOCKS_DIFFER = 5 * SECOND
"""How far the clocks of instances may be apart."""
_KEPT_A_RETENTION = 48
"""Looks that are older than `_ALL_KEPT_FOR` are kept so far apart that there are so many of them in a retention."""


@dataclass(frozen=True, slots=True)
class SeenEnds:
    """The sequence number of the last event of each partition, by its id, when the hub was asked (microseconds)."""

    at: int
    last: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Waited:
    """For how many seconds the oldest unread event has waited: `at_most` is None where no look is old enough to say."""

    at_least: float
    at_most: float | None

    @property
    def known(self) -> float:
        """What to go by: rather too long than too short, as far as that is known."""
        return self.at_least if self.at_most is None else self.at_most


@dataclass(frozen=True, slots=True)
class LagLook:
    """`at` microseconds; `kind` and `problem` say why there are no `groups`, both empty where there are.

    `container` is the URL of the one that was looked into, `hub` names the hub that `seen` is of, with when it was
    made; the oldest of `seen` comes first. `enqueued_at`: when each partition got its last event.
    """

    at: int
    container: str
    hub: str = ""
    seen: Sequence[SeenEnds] = field(default_factory=list)
    enqueued_at: Mapping[str, int] = field(default_factory=dict)
    groups: Sequence[GroupLag] = field(default_factory=list)
    kind: str = ""
    problem: str = ""

    def waited(self, group: GroupLag) -> Waited | None:
        """As of the look; None where nothing is unread."""
        if not group.first_unread:
            return None
        bounds = [self._came(partition, number) for partition, number in group.first_unread.items()]
        after = [bound for bound, _ in bounds]
        earliest = None if None in after else min(each for each in after if each is not None)
        least = max(0, self.at - min(by for _, by in bounds)) / SECOND
        return Waited(least, None if earliest is None else max(least, (self.at - earliest) / SECOND))

    def _came(self, partition: str, number: int) -> tuple[int | None, int]:
        """Between which two moments the partition got the event; the first is None where that is not known."""
        before = [each.at for each in self.seen if each.last.get(partition, number) < number]
        behind = [each.at for each in self.seen if each.last.get(partition, -1) >= number]
        by = min([*behind[:1], self.enqueued_at.get(partition, self.at), self.at])
        return (before[-1] if before else None), by

    def share_waited(self, retention_hours: int) -> float | None:
        """For how much of the retention the oldest unread event of any group has waited; more than all of it where
        events expired unread; None where nothing is known.
        """
        if self.kind:
            return None
        shares = [0.0]
        for group in self.groups:
            waited = self.waited(group)
            if waited is not None:
                shares.append(waited.known * SECOND / (retention_hours * HOUR))
            if group.expired:
                shares.append(_EXPIRED)
        return max(shares)

    def _read_until(self, group: GroupLag, profile_key: str) -> int | None:
        """Up to when (microseconds) the group has read past all that the hub acknowledged of the profile; None where
        that is not known.

        No sequence number of an export is known, but its partition is, and where that ended at each look. A hub that
        got more partitions since says nothing.
        """
        if not self.seen or len({len(each.last) for each in self.seen}) > 1:
            return None
        partitions = list(self.seen[-1].last)
        partition = partitions[partition_of_key(profile_key, len(partitions))]
        read = group.read_up_to.get(partition)
        reached = [each.at for each in self.seen if read is not None and each.last[partition] <= read]
        return reached[-1] - CLOCKS_DIFFER if reached else None

    def readers_past(self, profile_key: str, acknowledged_at: int) -> list[str]:
        """The consumer groups that have read past an export of the profile, as far as is known."""
        return [group for group, until in self.all_read_until(profile_key).items() if until >= acknowledged_at]

    def all_read_until(self, profile_key: str) -> dict[str, int]:
        """The same by consumer group, of those of which it is known."""
        reached = ((group.group, self._read_until(group, profile_key)) for group in self.groups)
        return {group: until for group, until in reached if until is not None}

    def to_document(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self) | {"seen": [[each.at, dict(each.last)] for each in self.seen]}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "LagLook":
        seen = [SeenEnds(at, last) for at, last in document["seen"]]
        groups = [GroupLag(**_known(GroupLag, group)) for group in document["groups"]]
        return cls(**_known(cls, document) | {"seen": seen, "groups": groups})


def _known(kind: type[LagLook] | type[GroupLag], document: Mapping[str, Any]) -> dict[str, Any]:
    """The members that this release has: a later one may have stored more."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in document.items() if name in names}


_EXPIRED = 1.000001
"""More than the whole retention, so that no threshold hides it."""


def enqueued(hub: HubEnds) -> dict[str, int]:
    """When each partition got its last event, of those that ever got one."""
    return {partition: ends.enqueued_at for partition, ends in hub.partitions.items() if ends.enqueued_at is not None}


def seen_after(before: LagLook | None, hub: HubEnds, at: int, retention_hours: int) -> list[SeenEnds]:
    """What is kept of where partitions ended, with what was seen `at`.

    Of the older ones enough are kept to say how old an event is to a 48th of the retention; nothing of an earlier hub.
    """
    last = {partition: ends.last for partition, ends in hub.partitions.items()}
    now = SeenEnds(at, last)
    if before is None or before.hub != name_of(hub) or not before.seen:
        return [now]
    earlier = [each for each in before.seen if each.at < at]
    apart = retention_hours * HOUR // _KEPT_A_RETENTION
    kept: list[SeenEnds] = []
    for index, each in enumerate(earlier):
        age = at - each.at
        outlived = index + 1 < len(earlier) and at - earlier[index + 1].at > retention_hours * HOUR
        if not outlived and (age <= _ALL_KEPT_FOR or not kept or each.at - kept[-1].at >= apart):
            kept.append(each)
    return [*kept, now]


def name_of(hub: HubEnds) -> str:
    """What tells the hub from others, and from earlier ones of its name."""
    return f"{hub.namespace}/{hub.hub}@{hub.created_at}".lower()
