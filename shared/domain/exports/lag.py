"""How far the readers of a hub are behind, by the checkpoints that the SDKs' processors keep in blobs.

A blob is empty, its name says whose checkpoint it is and its metadata where that is:
`NAMESPACE/HUB/GROUP/checkpoint/PARTITION` in lower case, with `sequencenumber` of the last event that was read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`sequence` is None where the blob names none; `written_at` in microseconds."""

    namespace: str
    hub: str
    group: str
    partition: str
    sequence: int | None
    written_at: int


@dataclass(frozen=True, slots=True)
class PartitionEnds:
    """The sequence numbers of the oldest event that a partition has and of the last one that it got; an empty one has a
    `first` after its `last`.
    """

    first: int
    last: int


@dataclass(slots=True)
class GroupLag:
    """`events` are unread and still there, `expired` were never read and are gone.

    `earlier` are partitions whose checkpoint is of an earlier hub of this name, `unread` those without any, and
    `unreadable` those whose checkpoint says nothing. `written_at`: of the latest checkpoint.
    """

    group: str
    events: int = 0
    expired: int = 0
    earlier: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    written_at: int = 0

    def problems(self) -> list[str]:
        """What a person should know of it, with what to do."""
        lines = []
        if self.expired:
            lines.append(
                f"{self.expired:,} events expired unread: ask for a resync, and read faster or keep events longer"
            )
        if self.earlier:
            lines.append(
                f"{_partitions(self.earlier)}: checkpoint of an earlier hub, beyond the end of this one: delete the "
                "group's checkpoints, or it reads nothing"
            )
        if self.unreadable:
            lines.append(f"{_partitions(self.unreadable)}: its checkpoint names no sequencenumber")
        return lines


class NoCheckpointsError(ValueError):
    """The container has no checkpoint of this hub; the message says what it has instead."""


def checkpoint_of(name: str, metadata: Mapping[str, str], written_at: int) -> Checkpoint | None:
    """What the blob `name` says; None where it is no checkpoint. The SDKs differ in the case of metadata's names."""
    parts = name.split("/")
    if len(parts) != 5 or parts[3] != "checkpoint":
        return None
    said = {key.lower(): value for key, value in metadata.items()}.get("sequencenumber", "")
    sequence = int(said) if said.lstrip("-").isdecimal() else None
    return Checkpoint(parts[0], parts[1], parts[2], parts[4], sequence, written_at)


def group_lags(
    checkpoints: Iterable[Checkpoint], namespace: str, hub: str, ends: Mapping[str, PartitionEnds]
) -> list[GroupLag]:
    """The lag of each consumer group that has a checkpoint of the hub; `ends` by partition.

    Raises NoCheckpointsError where none has.
    """
    found: dict[str, dict[str, Checkpoint]] = {}
    others = set()
    for each in checkpoints:
        # Against a local stack, Python names the host with its port and JavaScript without.
        if (_host(each.namespace), each.hub) == (_host(namespace), hub.lower()):
            known = found.setdefault(each.group, {})
            if each.partition not in known or known[each.partition].written_at < each.written_at:
                known[each.partition] = each
        else:
            others.add(f"{each.namespace}/{each.hub}")
    if not found:
        which = f"those of {', '.join(sorted(others))}" if others else "none at all"
        raise NoCheckpointsError(
            f"expected checkpoints of {namespace}/{hub}, found {which}: name the container that its consumers write to"
        )
    return [_lag(group, known, ends) for group, known in sorted(found.items())]


def _lag(group: str, known: Mapping[str, Checkpoint], ends: Mapping[str, PartitionEnds]) -> GroupLag:
    lag = GroupLag(group, written_at=max(each.written_at for each in known.values()))
    for partition, end in sorted(ends.items()):
        checkpoint = known.get(partition)
        if checkpoint is None:
            lag.unread.append(partition)
            lag.events += end.last - end.first + 1
        elif checkpoint.sequence is None:
            lag.unreadable.append(partition)
        elif checkpoint.sequence > end.last:
            lag.earlier.append(partition)
        else:
            lag.events += end.last - max(checkpoint.sequence, end.first - 1)
            lag.expired += max(0, end.first - 1 - checkpoint.sequence)
    return lag


def _host(namespace: str) -> str:
    return namespace.lower().partition(":")[0]


def _partitions(ids: Iterable[str]) -> str:
    return f"partition {', '.join(ids)}"
