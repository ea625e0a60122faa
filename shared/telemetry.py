"""What a worker says: a log without the SDKs' chatter and without personal data; metrics and traces where wanted."""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from shared.ports.tracing import PassOn

if TYPE_CHECKING:
    from shared.domain.alerts.alert import Alert
    from shared.domain.runs import RunCounts
    from shared.ports.runs import MetricSink
    from shared.ports.tracing import Tracing

_NAME = "profile-relay"
_INSTRUMENTED = ("azure_sdk", "django", "fastapi", "flask", "httpx", "psycopg2", "requests", "urllib", "urllib3")


def configure_logging() -> None:
    """The SDKs log every request and link at INFO; that would bury what the app says."""
    logging.getLogger("azure").setLevel(logging.WARNING)


class NoMetrics:
    """Nobody wants them."""

    def publish(self, destination_id: str, counts: "RunCounts") -> None:
        return

    def publish_alerts(self, alerts: "Iterable[Alert]") -> None:
        return


def metrics_and_traces(application_insights: str | None) -> "tuple[MetricSink, Tracing]":
    """OpenTelemetry to the Application Insights with this connection string; without one, nothing of it is imported.

    Logs stay with the Functions host, which sends them there itself. Of spans and metrics only the app's own are sent:
    those of the SDKs' requests would be many times as many, and name rows.
    """
    if application_insights is None:
        return NoMetrics(), PassOn()
    from azure.monitor.opentelemetry import configure_azure_monitor
    from opentelemetry import metrics, trace

    from shared.adapters.telemetry.metrics import OpenTelemetryMetrics
    from shared.adapters.telemetry.tracing import OpenTelemetryTracing

    configure_azure_monitor(
        connection_string=application_insights,
        disable_logging=True,
        enable_live_metrics=False,
        enable_performance_counters=False,
        instrumentation_options={name: {"enabled": False} for name in _INSTRUMENTED},
    )
    return OpenTelemetryMetrics(metrics.get_meter(_NAME)), OpenTelemetryTracing(trace.get_tracer(_NAME))
