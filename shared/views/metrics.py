"""What was counted."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from shared.domain.instants import SECOND
from shared.domain.runs import Histogram
from shared.views.view import Instant, View


class DurationsView(View):
    """In seconds; without any, there are no quantiles."""

    count: int
    mean: float | None
    p50: float | None
    p95: float | None

    @classmethod
    def of(cls, histogram: Histogram) -> "DurationsView":
        count = histogram.count
        mean = _seconds(histogram.total / count) if count else None
        return cls(
            count=count, mean=mean, p50=_seconds(histogram.quantile(0.5)), p95=_seconds(histogram.quantile(0.95))
        )


Durations = Annotated[
    DurationsView, BeforeValidator(lambda found: DurationsView.of(found) if isinstance(found, Histogram) else found)
]


class CountsView(View):
    received: int = Field(description="Changes that brought the destination into question; of `*`: all")
    activated: dict[str, int] = Field(description="Exports that were acknowledged, by their reasons")
    excluded: dict[str, int] = Field(description="Changes that called for no export, by the reason why not")
    decided_again: dict[str, int] = Field(
        description="Of `*`: decisions on a profile that were not saved and made anew, by the reason"
    )
    failed: int = Field(description="Attempts that failed")
    retried: int = Field(description="Attempts that were not the first of their export")
    dead: int = Field(description="Exports given up")
    parked: int = Field(description="Exports that wait for their destination")
    throttled: int = Field(description="Exports that the hub took only after a while, or not yet, for it was busy")
    bytes_sent: int = Field(description="Of the bodies that were acknowledged")
    latency: Durations = Field(description="From the insertion into the queue to the hub's acknowledgement")
    freshness: Durations = Field(description="From the change's occurredAt to the hub's acknowledgement")


class SlotView(View):
    """What was counted from `start` until the next slot's."""

    start: Instant
    counts: CountsView


class MetricsView(View):
    """`step` in seconds; the first slot starts at `since`, a multiple of it."""

    destination_id: str
    since: Instant
    until: Instant
    step: int
    totals: CountsView
    slots: list[SlotView]


def _seconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else round(microseconds / SECOND, 3)
