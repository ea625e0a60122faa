"""What the runs of the isolation measurement say: medians, ratios, and whether the promise holds."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, NamedTuple, Self

from pydantic.alias_generators import to_camel

EARLY_SECONDS = 15.0


class Delivery(NamedTuple):
    """One event in a healthy hub: of the change with this number, at seconds since the epoch."""

    hub: str
    number: int
    enqueued_at: float


@dataclass(frozen=True, kw_only=True)
class Run:
    """Latencies are seconds from the change's message being sent to its event in a healthy hub.

    `early_rate` and `later_rate` are events a second in all healthy hubs, in the first 15 s of the window and after.
    `missing` counts pairs of a change and a healthy hub that has no event of it: of two changes of a profile that were
    applied in the wrong order only the later one is exported.
    """

    kind: str | None
    early_rate: float
    later_rate: float
    p50: float
    p95: float
    early_p95: float
    later_p95: float
    changes: int
    missing: int
    duplicates: int
    undelivered_rows: dict[str, int]
    undelivered_exports: dict[str, int]
    load_average: float
    events_each_second: list[int]

    @classmethod
    def of(
        cls,
        *,
        kind: str | None,
        seconds: float,
        began: float,
        sent_at: dict[int, float],
        deliveries: Sequence[Delivery],
        undelivered_rows: dict[str, int],
        undelivered_exports: dict[str, int],
        load_average: float,
    ) -> Self:
        """`sent_at` of the changes that were sent in the window; `deliveries` also of those before."""
        first_times: dict[tuple[str, int], float] = {}
        for hub, number, enqueued_at in deliveries:
            first_times[hub, number] = min(enqueued_at, first_times.get((hub, number), math.inf))
        each_second = Counter(int(at - began) for at in first_times.values() if began <= at < began + seconds)
        early = sum(count for second, count in each_second.items() if second < EARLY_SECONDS)
        latencies = {key: at - sent_at[key[1]] for key, at in first_times.items() if key[1] in sent_at}
        early_latencies = [value for (_, number), value in latencies.items() if sent_at[number] < began + EARLY_SECONDS]
        later_latencies = [
            value for (_, number), value in latencies.items() if sent_at[number] >= began + EARLY_SECONDS
        ]
        later_seconds = seconds - EARLY_SECONDS
        hubs = len({delivery.hub for delivery in deliveries})
        return cls(
            kind=kind,
            early_rate=early / min(seconds, EARLY_SECONDS),
            later_rate=(each_second.total() - early) / later_seconds if later_seconds > 0 else math.nan,
            p50=_percentile(latencies.values(), 0.5),
            p95=_percentile(latencies.values(), 0.95),
            early_p95=_percentile(early_latencies, 0.95),
            later_p95=_percentile(later_latencies, 0.95),
            changes=len(sent_at),
            missing=len(sent_at) * hubs - len(latencies),
            duplicates=len(deliveries) - len(first_times),
            undelivered_rows=undelivered_rows,
            undelivered_exports=undelivered_exports,
            load_average=load_average,
            events_each_second=[each_second[second] for second in range(int(seconds))],
        )

    def to_json(self) -> dict[str, Any]:
        return {to_camel(name): _rounded(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The median of a figure without and with the fault; `bound` is for their ratio, None for what is only told."""

    what: str
    without: float
    with_fault: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def ratio(self) -> float:
        return self.with_fault / self.without if self.without else math.nan

    @property
    def holds(self) -> bool:
        if self.at_least is not None:
            return self.ratio >= self.at_least
        return self.at_most is None or self.ratio <= self.at_most

    @property
    def bound(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return "" if self.at_most is None else f"<= {self.at_most:g}"

    def to_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "without": _rounded(self.without),
            "with": _rounded(self.with_fault),
            "ratio": _rounded(self.ratio),
            "bound": self.bound,
            "holds": self.holds,
        }


def compare(without: Sequence[Run], with_fault: Sequence[Run]) -> list[Comparison]:
    def medians(figure: str) -> dict[str, float]:
        return {
            "without": _median(getattr(run, figure) for run in without),
            "with_fault": _median(getattr(run, figure) for run in with_fault),
        }

    early, later = f"in the first {EARLY_SECONDS:g} s", f"after {EARLY_SECONDS:g} s"
    comparisons = [Comparison(what=f"events/s {early}", at_least=0.7, **medians("early_rate"))]
    if not math.isnan(without[0].later_rate):
        comparisons.append(Comparison(what=f"events/s {later}", at_least=0.9, **medians("later_rate")))
    return [
        *comparisons,
        Comparison(what="latency p50, s", **medians("p50")),
        Comparison(what="latency p95, s", at_most=2.0, **medians("p95")),
        Comparison(what=f"latency p95 {early}, s", **medians("early_p95")),
        Comparison(what=f"latency p95 {later}, s", **medians("later_p95")),
    ]


def _median(values: Iterable[float]) -> float:
    """NaN if one of `values` is: sorted among the others it could be anywhere."""
    known = list(values)
    return math.nan if any(map(math.isnan, known)) else median(known)


def _percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.nan


def _rounded(value: Any) -> Any:
    """As JSON takes it, which knows no NaN."""
    if not isinstance(value, float):
        return value
    return None if math.isnan(value) else round(value, 3)
