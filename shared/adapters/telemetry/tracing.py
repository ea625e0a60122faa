"""A span for each queue message, in the trace that it came with."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_NAME = "process profile-changes"
_TRACEPARENT = "traceparent"


class OpenTelemetryTracing:
    """A Tracing."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def message(self, message_id: str, traceparent: str | None, /) -> Iterator[str | None]:
        context = self._propagator.extract({_TRACEPARENT: traceparent} if traceparent else {})
        attributes = {
            "messaging.system": "azure_queue_storage",
            "messaging.operation.type": "process",
            "messaging.message.id": message_id,
            "profile_relay.message": message_id,  # Azure Monitor drops the standard name
        }
        with self._tracer.start_as_current_span(_NAME, context, SpanKind.CONSUMER, attributes):
            carrier: dict[str, str] = {}
            self._propagator.inject(carrier)
            yield carrier.get(_TRACEPARENT)
