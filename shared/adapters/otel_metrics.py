"""What was counted, as OpenTelemetry metrics: counters, and the quantiles of each interval.

Histograms are not passed on as such: Azure Monitor keeps their sum, count, least and greatest alone.
"""

from collections.abc import Mapping

from opentelemetry.metrics import Meter

from shared.domain.instants import SECOND
from shared.domain.runs import Histogram, RunCounts

PREFIX = "profile_relay."
_QUANTILES = (0.5, 0.95)


class OpenTelemetryMetrics:
    """A MetricSink; docs/metrics.md says what each metric is."""

    def __init__(self, meter: Meter) -> None:
        self._by_reason = {
            name: meter.create_counter(f"{PREFIX}{name}", unit=unit, description=description)
            for name, unit, description in (
                ("activated", "{export}", "Exports that were acknowledged"),
                ("excluded", "{change}", "Changes that called for no export"),
            )
        }
        self._counters = {
            name: meter.create_counter(f"{PREFIX}{name}", unit=unit, description=description)
            for name, unit, description in (
                ("received", "{change}", "Changes that brought the destination into question"),
                ("failed", "{attempt}", "Attempts that failed"),
                ("retried", "{attempt}", "Attempts that were not an export's first"),
                ("dead", "{export}", "Exports given up"),
                ("parked", "{export}", "Exports that wait for their destination"),
                ("bytes_sent", "By", "Bodies of exports that were acknowledged"),
            )
        }
        self._quantiles = {
            name: meter.create_gauge(f"{PREFIX}{name}", unit="s", description=description)
            for name, description in (
                ("latency", "From the insertion into the queue to the acknowledgement"),
                ("freshness", "From the change's occurredAt to the acknowledgement"),
            )
        }

    def publish(self, destination_id: str, counts: RunCounts) -> None:
        destination = {"destination": destination_id}
        for name, counter in self._counters.items():
            if count := getattr(counts, name):
                counter.add(count, destination)
        for name, counter in self._by_reason.items():
            for reason, count in getattr(counts, name).items():
                counter.add(count, destination | {"reason": reason})
        self._publish_quantiles("latency", counts.latency, destination)
        self._publish_quantiles("freshness", counts.freshness, destination)

    def _publish_quantiles(self, name: str, histogram: Histogram, destination: Mapping[str, str]) -> None:
        for share in _QUANTILES:
            if (duration := histogram.quantile(share)) is not None:
                self._quantiles[name].set(duration / SECOND, {**destination, "quantile": f"p{share * 100:.0f}"})
