"""What a worker says: a log without the SDKs' chatter and without personal data; metrics where somebody wants them."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.domain.runs import RunCounts
    from shared.services.run_ports import MetricSink


def configure_logging() -> None:
    """The SDKs log every request and link at INFO; that would bury what the app says."""
    logging.getLogger("azure").setLevel(logging.WARNING)


class NoMetrics:
    """Nobody wants them."""

    def publish(self, destination_id: str, counts: "RunCounts") -> None:
        return


def metric_sink(application_insights: str | None) -> "MetricSink":
    """OpenTelemetry metrics to the Application Insights with this connection string; without one, nothing is imported.

    Logs stay with the Functions host, which sends them there itself.
    """
    if application_insights is None:
        return NoMetrics()
    from azure.monitor.opentelemetry import configure_azure_monitor
    from opentelemetry import metrics

    from shared.adapters.otel_metrics import OpenTelemetryMetrics

    configure_azure_monitor(connection_string=application_insights, disable_logging=True, disable_tracing=True)
    return OpenTelemetryMetrics(metrics.get_meter("profile-relay"))
