"""What a worker says: a log without the SDKs' chatter and without personal data; metrics and traces where wanted."""

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from shared.said_outside import keep_what_is_said_outside

if TYPE_CHECKING:
    from shared.domain.alerts.alert import Alert
    from shared.domain.profile.memberships import AudienceKey
    from shared.domain.runs import RunCounts
    from shared.ports.runs import MetricSink
    from shared.ports.tracing import Tracing
    from shared.settings import ApplicationInsights

logger = logging.getLogger(__name__)
_NAME = "profile-relay"
_CHATTY = ("azure", "azure_functions_worker", "proxy_worker")


def configure_logging() -> None:
    """The SDKs log every request and link at INFO, the worker each invocation: that would bury what the app says."""
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    keep_what_is_said_outside()


class NoMetrics:
    """Nobody wants them."""

    def publish(self, destination_id: str, counts: "RunCounts") -> None:
        return

    def publish_crossings(self, crossings: "Mapping[tuple[AudienceKey, bool], int]") -> None:
        return

    def publish_members(self, members: "Mapping[AudienceKey, int]") -> None:
        return

    def publish_consumer_lags(self, destination_id: str, lags: "Mapping[str, tuple[int, float | None]]") -> None:
        return

    def publish_alerts(self, alerts: "Iterable[Alert]") -> None:
        return


def metrics_and_traces(insights: "ApplicationInsights | None") -> "tuple[MetricSink, Tracing]":
    """OpenTelemetry to this Application Insights; without one, nothing of it is imported.

    Logs stay with the Functions host, which sends them there itself. Of spans and metrics only the app's own are sent:
    those of the SDKs' requests would be many times as many, and name rows.
    """
    from shared.ports.tracing import PassOn

    if insights is None:
        return NoMetrics(), PassOn()
    try:
        from shared.adapters.telemetry.azure_monitor import providers

        meters, tracers = providers(insights)
    except Exception as error:  # whoever cannot be told of the work does not stop it
        logger.error("neither metrics nor traces are sent: APPLICATIONINSIGHTS_CONNECTION_STRING: %s", error)
        return NoMetrics(), PassOn()
    from shared.adapters.telemetry.metrics import OpenTelemetryMetrics
    from shared.adapters.telemetry.tracing import OpenTelemetryTracing

    return OpenTelemetryMetrics(meters.get_meter(_NAME)), OpenTelemetryTracing(tracers.get_tracer(_NAME))
