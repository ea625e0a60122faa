"""What a destination's exports came to in a stretch of time: counts that add up, over instances and over time."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from shared.domain.instants import MILLISECOND, MINUTE
from shared.domain.shadow_counts import ShadowCounts

SLOT = 10 * MINUTE
"""The shortest stretch that is told apart, in microseconds."""
NO_DESTINATION = "*"
"""Stands in a destination's place for what concerns no single one."""
QUARANTINED = "in quarantine"
"""Why a change that is not understood called for no export."""
MOST_AUDIENCES = 20_000
"""Of so many it is counted who enters and leaves, and who is in them."""
BOUNDS = tuple(round(10 * MILLISECOND * 2 ** (step / 2)) for step in range(54))
"""The upper bounds of a histogram's buckets, in microseconds: 10 ms to almost 11 days, each √2 of the one before."""

T = TypeVar("T")


def _no_durations() -> list[int]:
    return [0] * (len(BOUNDS) + 1)


@dataclass(slots=True)
class Histogram:
    """How many durations fell into each bucket; the last one is for all beyond BOUNDS. `total` in microseconds."""

    buckets: list[int] = field(default_factory=_no_durations)
    total: int = 0

    def add(self, duration: int) -> None:
        """Count a duration in microseconds; a negative one tells of clocks that differ, and counts as none."""
        duration = max(duration, 0)
        self.buckets[bisect_left(BOUNDS, duration)] += 1
        self.total += duration

    def merge(self, other: "Histogram") -> None:
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, other.buckets, strict=True)]
        self.total += other.total

    @property
    def count(self) -> int:
        return sum(self.buckets)

    def quantile(self, share: float) -> int | None:
        """The duration, in microseconds, that `share` (0 to 1) of all do not exceed; None where there are none.

        Interpolated within its bucket, so it is off by a factor of √2 at most between 10 ms and 11 days, and is never
        more than 11 days.
        """
        rank = share * self.count
        before = 0
        for index, count in enumerate(self.buckets[: len(BOUNDS)]):
            if count and before + count >= rank:
                lower = BOUNDS[index - 1] if index else 0
                return round(lower + (BOUNDS[index] - lower) * (rank - before) / count)
            before += count
        return BOUNDS[-1] if self.buckets[-1] else None

    def to_document(self) -> dict[str, Any]:
        return {"total": self.total, "buckets": [[index, count] for index, count in enumerate(self.buckets) if count]}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Histogram":
        histogram = cls(total=document["total"])
        for index, count in document["buckets"]:
            histogram.buckets[index] = count
        return histogram


Crossings: TypeAlias = dict[tuple[str, str], list[int]]
"""By the namespace and id of an audience: how many profiles entered it, and how many left."""


def add_crossings(to: Crossings, more: Mapping[tuple[str, str], list[int]]) -> None:
    for audience, (entered, left) in more.items():
        pair = to.setdefault(audience, [0, 0])
        pair[0] += entered
        pair[1] += left


def nested(by_audience: Mapping[tuple[str, str], T]) -> dict[str, dict[str, T]]:
    """By namespace, then by id, as JSON can have it."""
    document: dict[str, dict[str, T]] = {}
    for (namespace, audience_id), value in by_audience.items():
        document.setdefault(namespace, {})[audience_id] = value
    return document


def flat(document: Mapping[str, Mapping[str, T]]) -> dict[tuple[str, str], T]:
    """What `nested` was given."""
    return {
        (namespace, audience_id): value
        for namespace, audiences in document.items()
        for audience_id, value in audiences.items()
    }


@dataclass(slots=True)
class RunCounts:
    """`received`: changes that brought the destination into question. `activated`: exports that were acknowledged, by
    their reasons (joined with commas); `excluded`: changes that called for no export, by the reason why not.

    `failed`: attempts that failed; `retried`: attempts that were not an export's first. `dead`, `parked`: exports that
    became so; `throttled`: exports that the hub took only after a while, or not yet, for it was busy. `bytes_sent`: of
    the bodies that were acknowledged. `latency`: from the insertion into the queue to the acknowledgement; `freshness`:
    from the change's `occurredAt` to it. `decided_again`: decisions on a profile that were not saved, so that another
    was made, by the reason why not. `audiences`: by namespace and id, how many profiles entered it, and how many left.
    `shadows`: by the revision of a shadow, what it and the live mapping called for.
    """

    received: int = 0
    activated: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)
    decided_again: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    retried: int = 0
    dead: int = 0
    parked: int = 0
    throttled: int = 0
    bytes_sent: int = 0
    latency: Histogram = field(default_factory=Histogram)
    freshness: Histogram = field(default_factory=Histogram)
    audiences: Crossings = field(default_factory=dict)
    shadows: dict[int, ShadowCounts] = field(default_factory=dict)

    def crossed(self, audience: tuple[str, str], *, entered: bool) -> None:
        """Count one who entered or left; of more than MOST_AUDIENCES, some are not counted."""
        pair = self.audiences.get(audience)
        if pair is None:
            if len(self.audiences) >= MOST_AUDIENCES:
                return
            pair = self.audiences[audience] = [0, 0]
        pair[not entered] += 1

    def merge(self, other: "RunCounts") -> None:
        """Add what `other` counts."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in _BY_REASON:
            getattr(self, name).update(getattr(other, name))
        self.latency.merge(other.latency)
        self.freshness.merge(other.freshness)
        add_crossings(self.audiences, other.audiences)
        for revision, counts in other.shadows.items():
            self.shadows.setdefault(revision, ShadowCounts()).merge(counts)

    def to_document(self) -> dict[str, Any]:
        """As plain JSON, without what is zero."""
        document: dict[str, Any] = {name: count for name in _NUMBERS if (count := getattr(self, name))}
        document |= {name: dict(by_reason) for name in _BY_REASON if (by_reason := getattr(self, name))}
        for name, histogram in (("latency", self.latency), ("freshness", self.freshness)):
            if histogram.count:
                document[name] = histogram.to_document()
        if self.audiences:
            document["audiences"] = nested(self.audiences)
        if self.shadows:
            document["shadows"] = {str(revision): counts.to_document() for revision, counts in self.shadows.items()}
        return document

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "RunCounts":
        counts = cls()
        for name in _BY_REASON:
            setattr(counts, name, Counter(document.get(name, {})))
        for name in _NUMBERS:
            setattr(counts, name, document.get(name, 0))
        for name in ("latency", "freshness"):
            if name in document:
                setattr(counts, name, Histogram.from_document(document[name]))
        counts.audiences = flat(document.get("audiences", {}))
        counts.shadows = {
            int(revision): ShadowCounts.from_document(each) for revision, each in document.get("shadows", {}).items()
        }
        return counts


_BY_REASON = ("activated", "excluded", "decided_again")
_NUMBERS = ("received", "failed", "retried", "dead", "parked", "throttled", "bytes_sent")


@dataclass(frozen=True, slots=True)
class RunSlot:
    """What was counted from `start`, in microseconds, until the next slot's."""

    start: int
    counts: RunCounts


def slot_of(instant: int) -> int:
    """The start of the slot that `instant` is in."""
    return instant - instant % SLOT


def in_steps(counted: Iterable[RunSlot], since: int, until: int, step: int) -> list[RunSlot]:
    """What was counted from `since` until `until`, in slots that start at multiples of `step`.

    Empty ones are among them. The first starts at or before `since`. Raises ValueError for a `step` that is not made of
    whole SLOTs.
    """
    if step <= 0 or step % SLOT:
        raise ValueError(f"expected a step of whole slots of {SLOT} µs, got {step}")
    slots = [RunSlot(start, RunCounts()) for start in range(since - since % step, until, step)]
    for each in counted:
        index = (each.start - slots[0].start) // step if slots else -1
        if 0 <= index < len(slots):
            slots[index].counts.merge(each.counts)
    return slots


def total_of(slots: Iterable[RunSlot]) -> RunCounts:
    """What all of `slots` count together."""
    total = RunCounts()
    for slot in slots:
        total.merge(slot.counts)
    return total
