"""What was counted, as OpenTelemetry metrics: counters, and the quantiles of each export's interval; open alerts; how
far consumers are behind.

Histograms are not passed on as such: Azure Monitor keeps their sum, count, least and greatest alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from threading import Lock

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from shared.domain.alerts.alert import Alert
from shared.domain.instants import SECOND
from shared.domain.profile.memberships import AudienceKey
from shared.domain.runs import Histogram, RunCounts

PREFIX = "profile_relay."
_EVENTS_BEHIND, _SECONDS_BEHIND = "consumer.events_behind", "consumer.seconds_behind"
_QUANTILES = (0.5, 0.95)


class OpenTelemetryMetrics:
    """A MetricSink; docs/metrics.md says what each metric is."""

    def __init__(self, meter: Meter) -> None:
        self._by_reason = {
            name: meter.create_counter(f"{PREFIX}{name}", unit=unit, description=description)
            for name, unit, description in (
                ("activated", "{export}", "Exports that were acknowledged"),
                ("excluded", "{change}", "Changes that called for no export"),
                ("decided_again", "{decision}", "Decisions on a profile that were not saved, so that another was made"),
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
                ("throttled", "{export}", "Exports that had to wait until the hub took them, for it was busy"),
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
        self._crossings = {
            entered: meter.create_counter(f"{PREFIX}{name}", unit="{profile}", description=description)
            for entered, name, description in (
                (True, "audience.entered", "Profiles that entered an audience which is mapped"),
                (False, "audience.left", "Profiles that left an audience which is mapped"),
            )
        }
        self._members: list[Observation] = []
        meter.create_observable_gauge(
            f"{PREFIX}audience.members",
            [self._counted],
            unit="{profile}",
            description="Profiles in an audience which is mapped, as the sweep counted them",
        )
        self._consumers: dict[str, dict[str, list[Observation]]] = {_EVENTS_BEHIND: {}, _SECONDS_BEHIND: {}}
        for name, unit, description in (
            (_EVENTS_BEHIND, "{event}", "Events that a consumer group has not read"),
            (_SECONDS_BEHIND, "s", "For how long the oldest of them has waited, rather too long than too short"),
        ):
            meter.create_observable_gauge(
                f"{PREFIX}{name}", [partial(self._seen, name)], unit=unit, description=description
            )
        self._alerts: list[Observation] = []
        meter.create_observable_gauge(
            f"{PREFIX}alerts.open", [self._judged], unit="{alert}", description="1 while the alert is open, 0 after"
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

    def publish_crossings(self, crossings: Mapping[tuple[AudienceKey, bool], int]) -> None:
        for (audience, entered), count in crossings.items():
            self._crossings[entered].add(count, _named(audience))

    def publish_members(self, members: Mapping[AudienceKey, int]) -> None:
        counted = [Observation(count, _named(audience)) for audience, count in members.items()]
        with self._lock:
            self._members = counted

    def publish_consumer_lags(self, destination_id: str, lags: Mapping[str, tuple[int, float | None]]) -> None:
        named = {group: {"destination": destination_id, "consumer_group": group} for group in lags}
        events = [Observation(count, named[group]) for group, (count, _) in lags.items()]
        seconds = [Observation(waited, named[group]) for group, (_, waited) in lags.items() if waited is not None]
        with self._lock:
            self._consumers[_EVENTS_BEHIND][destination_id] = events
            self._consumers[_SECONDS_BEHIND][destination_id] = seconds

    def publish_alerts(self, alerts: Iterable[Alert]) -> None:
        judged = [
            Observation(
                0 if alert.resolved_at else 1,
                {"destination": alert.destination_id, "rule": alert.rule, "threshold": alert.threshold},
            )
            for alert in alerts
        ]
        with self._lock:
            self._alerts = judged

    def _counted(self, _options: CallbackOptions) -> list[Observation]:
        """Once, by the instance that saw the sweep end: another one may see the next."""
        with self._lock:
            counted, self._members = self._members, []
        return counted

    def _seen(self, name: str, _options: CallbackOptions) -> list[Observation]:
        """Once, by the instance that looked: another one may look next."""
        with self._lock:
            seen, self._consumers[name] = self._consumers[name], {}
        return [observation for observations in seen.values() for observation in observations]

    def _judged(self, _options: CallbackOptions) -> list[Observation]:
        """Nothing if no alert was judged here since the last time it was asked: another instance does that by now."""
        with self._lock:
            judged, self._alerts = self._alerts, []
        return judged

    def _quantiles_of(self, name: str, _options: CallbackOptions) -> Iterator[Observation]:
        """Of what came since the last time it was asked, which is on the exporter's thread."""
        with self._lock:
            by_destination, self._durations[name] = self._durations[name], {}
        for destination_id, histogram in by_destination.items():
            for share in _QUANTILES:
                if (duration := histogram.quantile(share)) is not None:
                    attributes = {"destination": destination_id, "quantile": f"p{share * 100:.0f}"}
                    yield Observation(duration / SECOND, attributes)


def _named(audience: AudienceKey) -> dict[str, str]:
    return {"namespace": audience[0], "audience": audience[1]}
