"""What was counted, as OpenTelemetry metrics: counters, and the quantiles of each export's interval.

Histograms are not passed on as such: Azure Monitor keeps their sum, count, least and greatest alone.
"""

from collections.abc import Iterator
from functools import partial
from threading import Lock

from opentelemetry.metrics import CallbackOptions, Meter, Observation

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
        self._lock = Lock()
        self._durations: dict[str, dict[str, Histogram]] = {"latency": {}, "freshness": {}}
        for name, description in (
            ("latency", "From the insertion into the queue to the acknowledgement"),
            ("freshness", "From the change's occurredAt to the acknowledgement"),
        ):
            meter.create_observable_gauge(
                f"{PREFIX}{name}", [partial(self._quantiles_of, name)], unit="s", description=description
            )

    def publish(self, destination_id: str, counts: RunCounts) -> None:
        destination = {"destination": destination_id}
        for name, counter in self._counters.items():
            if count := getattr(counts, name):
                counter.add(count, destination)
        for name, counter in self._by_reason.items():
            for reason, count in getattr(counts, name).items():
                counter.add(count, destination | {"reason": reason})
        with self._lock:
            for name, by_destination in self._durations.items():
                by_destination.setdefault(destination_id, Histogram()).merge(getattr(counts, name))

    def _quantiles_of(self, name: str, _options: CallbackOptions) -> Iterator[Observation]:
        """Of what came since the last time it was asked, which is on the exporter's thread."""
        with self._lock:
            by_destination, self._durations[name] = self._durations[name], {}
        for destination_id, histogram in by_destination.items():
            for share in _QUANTILES:
                if (duration := histogram.quantile(share)) is not None:
                    attributes = {"destination": destination_id, "quantile": f"p{share * 100:.0f}"}
                    yield Observation(duration / SECOND, attributes)
