"""How far the readers of a hub are behind, by the checkpoints that the SDKs' processors keep in blobs.

A blob is empty, its name says whose checkpoint it is and its metadata where that is:
`NAMESPACE/HUB/GROUP/checkpoint/PARTITION` in lower case, with `sequencenumber` of the last event that was read.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.domain.instants import SECOND
from shared.errors import NoCheckpointsError

_CLOCKS_DIFFER = 5 * SECOND
_SEQUENCE = re.compile(r"-?[0-9]{1,19}", re.ASCII)


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
    `first` after its `last`. `enqueued_at`: when it got the last (microseconds), None of one that never got any.
    """

    first: int
    last: int
    enqueued_at: int | None = None


@dataclass(frozen=True, slots=True)
class HubEnds:
    """Where the partitions of a hub begin and end, by their ids. `created_at` (microseconds) tells a hub from an
    earlier one of the same name.
    """

    namespace: str
    hub: str
    created_at: int
    partitions: Mapping[str, PartitionEnds]


@dataclass(slots=True)
class GroupLag:
    """`behind`: how many events are unread and still there, by partition. `first_unread`: the sequence number of the
    oldest of them, of partitions whose checkpoint is of an earlier hub, too. `expired` were never read and are gone.

    `earlier` are partitions whose checkpoint is of an earlier hub of this name, `unread` those without any, and
    `unreadable` those whose checkpoint says nothing. `read_up_to`: the sequence number of the last event that was read
    of each of the others. `written_at`: of the latest checkpoint.
    """

    group: str
    behind: dict[str, int] = field(default_factory=dict)
    first_unread: dict[str, int] = field(default_factory=dict)
    expired: int = 0
    earlier: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    read_up_to: dict[str, int] = field(default_factory=dict)
    written_at: int = 0

    @property
    def events(self) -> int:
        """Unread and still there."""
        return sum(self.behind.values())

    @property
    def worst(self) -> str | None:
        """The partition with the most unread events; None where there are none."""
        return max(self.behind, key=lambda partition: self.behind[partition], default=None)

    def problems(self) -> list[str]:
        """What a person should know of it, with what to do."""
        lines = []
        if self.expired:
            lines.append(
                f"{self.expired:,} events expired unread: ask for a resync, and read faster or keep events longer"
            )
        if self.earlier:
            lines.append(
                f"{_partitions(self.earlier)}: checkpoint of an earlier hub of this name: delete the group's "
                "checkpoints, or it reads nothing, or skips what comes first"
            )
        if self.unreadable:
            lines.append(f"{_partitions(self.unreadable)}: its checkpoint names no sequencenumber")
        return lines


def checkpoint_of(name: str, metadata: Mapping[str, str], written_at: int) -> Checkpoint | None:
    """What the blob `name` says; None where it is no checkpoint. The SDKs differ in the case of metadata's names."""
    parts = name.split("/")
    if len(parts) != 5 or parts[3] != "checkpoint":
        return None
    said = {key.lower(): value for key, value in metadata.items()}.get("sequencenumber", "")
    sequence = int(said) if _SEQUENCE.fullmatch(said) else None
    return Checkpoint(parts[0], parts[1], parts[2], parts[4], sequence, written_at)


def host_of(namespace: str) -> str:
    """As checkpoints are compared: against a local stack, Python names the host with its port, JavaScript without."""
    return namespace.lower().partition(":")[0]


def group_lags(checkpoints: Iterable[Checkpoint], hub: HubEnds) -> list[GroupLag]:
    """The lag of each consumer group that has a checkpoint of the hub.

    Raises NoCheckpointsError where none has.
    """
    found: dict[str, dict[str, Checkpoint]] = {}
    others = set()
    for each in checkpoints:
        if (host_of(each.namespace), each.hub.lower()) == (host_of(hub.namespace), hub.hub.lower()):
            known = found.setdefault(each.group, {})
            if each.partition not in known or known[each.partition].written_at < each.written_at:
                known[each.partition] = each
        else:
            others.add(f"{each.namespace}/{each.hub}")
    if not found:
        raise NoCheckpointsError(f"{hub.namespace}/{hub.hub}", sorted(others))
    return [_lag(group, known, hub) for group, known in sorted(found.items())]


def _lag(group: str, known: Mapping[str, Checkpoint], hub: HubEnds) -> GroupLag:
    lag = GroupLag(group, written_at=max(each.written_at for each in known.values()))
    for partition, end in sorted(hub.partitions.items()):
        checkpoint = known.get(partition)
        if checkpoint is not None and checkpoint.sequence is None:
            lag.unreadable.append(partition)
            continue
        read = end.first - 1
        if checkpoint is None or checkpoint.sequence is None:
            lag.unread.append(partition)
        elif checkpoint.sequence > end.last or checkpoint.written_at < hub.created_at - _CLOCKS_DIFFER:
            lag.earlier.append(partition)
        else:
            lag.expired += max(0, end.first - 1 - checkpoint.sequence)
            lag.read_up_to[partition] = checkpoint.sequence
            read = max(checkpoint.sequence, end.first - 1)
        if read < end.last:
            lag.first_unread[partition] = read + 1
            if partition not in lag.earlier:
                lag.behind[partition] = end.last - read
    return lag


def _partitions(ids: Iterable[str]) -> str:
    return f"partition {', '.join(ids)}"
