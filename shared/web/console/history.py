"""A destination's charts: what its exports came to in the last day, week or month."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shared.domain.instants import DAY, MINUTE, SECOND, format_instant
from shared.domain.runs import RunSlot
from shared.services.wiring import Services
from shared.web.console.charts import lines, stacked_bars, top_of
from shared.web.console.words import counted, duration

HOUR = 60 * MINUTE
SPANS: dict[str, tuple[int, int]] = {"24h": (DAY, HOUR), "7d": (7 * DAY, 6 * HOUR), "30d": (30 * DAY, DAY)}
"""Name -> how long it is, and how long each of its steps; microseconds."""
_MOST_REASONS = 5


@dataclass(frozen=True, slots=True)
class Chart:
    """`legend`: the names of the series in their order; `top` is what the upper edge means."""

    title: str
    summary: str
    svg: Markup
    legend: list[str]
    top: str
    ends: tuple[str, str]


async def charts_of(services: Services, destination_id: str, span: str) -> list[Chart]:
    """None where nothing was counted in that time. Raises StorageError."""
    length, step = SPANS[span]
    now = services.clock()
    return draw(await services.run_history.read(destination_id, now - length, now + 1, step))


def draw(slots: Sequence[RunSlot]) -> list[Chart]:
    """Exports by reason, failures, latency; no chart where there is nothing to show."""
    shown = (("failed attempts", "failed"), ("parked exports", "parked"), ("dead exports", "dead"))
    missed = {name: [getattr(slot.counts, what) for slot in slots] for name, what in shown}
    if not any(sum(slot.counts.activated.values()) for slot in slots) and not any(map(any, missed.values())):
        return []
    labels = _labels(slots)
    ends = (labels[0], labels[-1])
    return [
        _bars("exports", "Exports by reason", ("export", "exports"), labels, _by_reason(slots), ends),
        _bars("failures", "Failed, parked, dead", ("in all",) * 2, labels, missed, ends),
        _latency(labels, slots, ends),
    ]


def received_of(slots: Sequence[RunSlot]) -> Chart | None:
    """The changes that came in; None where there was none."""
    received = [slot.counts.received for slot in slots]
    if not any(received):
        return None
    labels = _labels(slots)
    return _bars("received", "Changes", ("change", "changes"), labels, {"received": received}, (labels[0], labels[-1]))


def _labels(slots: Sequence[RunSlot]) -> list[str]:
    return [format_instant(slot.start)[:16].replace("T", " ") for slot in slots]


def _by_reason(slots: Sequence[RunSlot]) -> dict[str, list[int]]:
    """The most frequent reasons, the others together."""
    totals: Counter[str] = Counter()
    for slot in slots:
        totals.update(slot.counts.activated)
    shown = [reason for reason, _ in totals.most_common(_MOST_REASONS)]
    series = {reason.replace(",", " + "): [slot.counts.activated[reason] for slot in slots] for reason in shown}
    if len(totals) > len(shown):
        series["other"] = [
            sum(number for reason, number in slot.counts.activated.items() if reason not in shown) for slot in slots
        ]
    return series


def _bars(
    key: str, title: str, unit: tuple[str, str], labels: list[str], series: dict[str, list[int]], ends: tuple[str, str]
) -> Chart:
    heights = [sum(values) for values in zip(*series.values(), strict=True)]
    top = top_of(max(heights, default=0))
    total = counted(sum(heights), *unit)
    parts = ", ".join(f"{sum(values):,} {name}" for name, values in series.items())
    description = f"{total} from {ends[0]} to {ends[1]} UTC: {parts}; at most {max(heights, default=0):,} in one step"
    svg = stacked_bars(key, title, description, labels, series, top)
    return Chart(title, total, svg, list(series), f"{top:,.0f}", ends)


def _latency(labels: list[str], slots: Sequence[RunSlot], ends: tuple[str, str]) -> Chart:
    series = {
        name: [_seconds(slot.counts.latency.quantile(share)) for slot in slots]
        for name, share in (("p50", 0.5), ("p95", 0.95))
    }
    worst = max((value for value in series["p95"] if value is not None), default=None)
    top = top_of(worst or 0.0)
    summary = "Nothing was measured" if worst is None else f"p95 at most {_words(worst)}"
    title = "Latency, queue to acknowledgement"
    description = f"{summary} from {ends[0]} to {ends[1]} UTC"
    svg = lines("latency", title, description, labels, series, top)
    return Chart(title, summary, svg, list(series), _words(top), ends)


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / SECOND


def words_of(microseconds: int | None) -> str | None:
    """A latency to be read; None where nothing was measured."""
    seconds = _seconds(microseconds)
    return None if seconds is None else _words(seconds)


def _words(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:,.0f} ms"
    return f"{seconds:,.1f} s" if seconds < 60 else duration(int(seconds * SECOND))
