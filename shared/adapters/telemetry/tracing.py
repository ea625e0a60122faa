"""A span for each queue message, in the trace that it came with.

Its attributes have names of our own: of the standard ones Azure Monitor drops `messaging.…`, `message.…`, `net.…`,
`exception.…`, `error.type` and more on the way. What went wrong is told by its kind alone: messages hold anything.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_NAME = "process profile-changes"
_TRACEPARENT = "traceparent"
MESSAGE = "profile_relay.message"
ERROR = "profile_relay.error"


class OpenTelemetryTracing:
    """A Tracing."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def message(self, message_id: str, traceparent: str | None, /) -> Iterator[str | None]:
        context = self._propagator.extract({_TRACEPARENT: traceparent} if traceparent else {})
        with self._tracer.start_as_current_span(
            _NAME,
            context,
            SpanKind.CONSUMER,
            {MESSAGE: message_id},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            carrier: dict[str, str] = {}
            self._propagator.inject(carrier)
            try:
                yield carrier.get(_TRACEPARENT)
            except BaseException as error:
                span.set_attribute(ERROR, type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise
