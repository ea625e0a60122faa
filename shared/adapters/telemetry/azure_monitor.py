"""Where metrics and spans go: to Application Insights, by its exporters alone.

Nothing is set up for the whole process: whatever else in it knows OpenTelemetry, such as FastAPI and the Azure SDK,
finds no provider and tells nothing. No log is exported: the Functions host sends what is logged, and samples it.
"""

import os
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.exceptions import ServiceRequestError
from azure.identity import ManagedIdentityCredential
from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter, AzureMonitorTraceExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from shared.settings import ApplicationInsights

PATIENCE = 5.0
"""Seconds that the ingestion has for an answer: a worker that ends may wait that long for metrics, and for spans."""
ROOTS_SAMPLED = "0.05"
"""Of the messages that belong to no trace so many begin one that is sent; the others follow their caller."""
DEFAULTS = {
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED": "true",
}
"""What the exporters would tell Microsoft and us of themselves; they read it nowhere but in the environment."""


class KeptUnlessSignedIn:
    """A credential whose failures look like a network's: such a batch the exporters keep and send later, while one that
    meets no token they would drop.
    """

    def __init__(self, credential: ManagedIdentityCredential) -> None:
        self._credential = credential

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        try:
            token: AccessToken = self._credential.get_token(*scopes, **options)
        except Exception as error:
            raise ServiceRequestError(f"no token for Application Insights: {error}") from None
        return token


def providers(insights: ApplicationInsights) -> tuple[MeterProvider, TracerProvider]:
    """Providers that send to `insights` until the process ends. Raises ValueError for a malformed connection string."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    if "OTEL_TRACES_SAMPLER" not in os.environ:
        os.environ["OTEL_TRACES_SAMPLER"] = "parentbased_traceidratio"
        os.environ.setdefault("OTEL_TRACES_SAMPLER_ARG", ROOTS_SAMPLED)
    options: dict[str, Any] = {
        "connection_string": insights.connection_string,
        "credential": _credential(insights),
        # A failed batch is kept in a file and sent with a later one; waiting for it here would keep up the next ones.
        "retry_total": 0,
        "timeout": PATIENCE,
        "read_timeout": PATIENCE,
    }
    resource = Resource.create({SERVICE_NAME: insights.role})
    meters = MeterProvider([PeriodicExportingMetricReader(AzureMonitorMetricExporter(**options))], resource)
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(AzureMonitorTraceExporter(**options)))
    return meters, tracers


def _credential(insights: ApplicationInsights) -> KeptUnlessSignedIn | None:
    if not insights.by_identity:
        return None
    options: dict[str, Any] = {"retry_total": 0, "connection_timeout": PATIENCE, "read_timeout": PATIENCE}
    return KeptUnlessSignedIn(ManagedIdentityCredential(client_id=insights.client_id, **options))
