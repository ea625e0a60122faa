"""A span for each queue message, in the trace that it came with, and one for each batch that is sent to a hub.

What a person needs has a name of our own: of the standard ones, which the spans of sends have as well, Azure Monitor
drops `messaging.…`, `message.…`, `net.…`, `exception.…`, `error.type` and more on the way. What went wrong is told by
its kind alone: messages hold anything.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.domain.exports.export import Export
from shared.errors import SendError

_NAME = "process profile-changes"
_TRACEPARENT = "traceparent"
MESSAGE = "profile_relay.message"
ERROR = "profile_relay.error"
DESTINATION = "profile_relay.destination"
HUB = "profile_relay.event_hub"
PARTITION = "profile_relay.partition"
EVENTS = "profile_relay.events"
MOST_LINKS = 100
"""Azure Monitor passes on a few more, and OpenTelemetry's own limit is 128."""


class OpenTelemetryTracing:
    """A Tracing."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def message(self, message_id: str, traceparent: str | None, /) -> Iterator[str | None]:
        with self._tracer.start_as_current_span(
            _NAME,
            self._context_of(traceparent),
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

    @contextmanager
    def send(self, exports: Sequence[Export], partition: str, /) -> Iterator[None]:
        """In the first trace that is kept of those that the exports belong to, with a link to each of these."""
        traces = dict.fromkeys(export.traceparent for export in exports if export.traceparent)
        contexts = [self._context_of(traceparent) for traceparent in traces]
        kept = [context for context in contexts if _span_of(context).trace_flags.sampled]
        destination = exports[0].destination
        span = self._tracer.start_span(
            f"send {destination.event_hub_name}",
            next(iter(kept or contexts), None),
            SpanKind.PRODUCER,
            {
                "messaging.system": "eventhubs",
                "messaging.operation.name": "send",
                "messaging.operation.type": "send",
                "messaging.destination.name": destination.event_hub_name,
                "messaging.destination.partition.id": partition,
                "messaging.batch.message_count": len(exports),
                # What Azure Monitor shows as the target of a dependency.
                "peer.service": destination.event_hub_name,
                DESTINATION: destination.id,
                HUB: destination.event_hub_name,
                PARTITION: partition,
                EVENTS: len(exports),
            },
            [Link(_span_of(context)) for context in kept[:MOST_LINKS]],
        )
        try:
            yield
        except BaseException as error:
            kind = error.code if isinstance(error, SendError) else type(error).__name__
            span.set_attributes({"error.type": kind, ERROR: kind})
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            span.end()

    def _context_of(self, traceparent: str | None) -> Context:
        return self._propagator.extract({_TRACEPARENT: traceparent} if traceparent else {})


def _span_of(context: Context) -> SpanContext:
    return get_current_span(context).get_span_context()
