"""A span for each message, and one for each batch that is sent, in the traces that they belong to."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import SpanKind, StatusCode

from shared.adapters.telemetry.tracing import MOST_LINKS, OpenTelemetryTracing
from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export
from shared.errors import FailureCode, SendError
from tests.kit.builders import NOW
from tests.unit.changes.test_tracing import TRACEPARENT

EXPORT = Export(Destination(id="crm", name="CRM", event_hub_name="hub"), "p", NOW, 1, ("audience",), NOW, b"{}")


@dataclass
class Spans:
    tracing: OpenTelemetryTracing
    exporter: InMemorySpanExporter

    @property
    def finished(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()


@pytest.fixture
def spans() -> Iterator[Spans]:
    """As in an app: whose caller keeps a trace keeps it, and of those without a caller none is kept here."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(ParentBasedTraceIdRatio(0), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield Spans(OpenTelemetryTracing(provider.get_tracer("test")), exporter)
    provider.shutdown()


def of_trace(number: int, *, kept: bool = True) -> Export:
    return replace(EXPORT, traceparent=f"00-{number:032x}-b7ad6b7169203331-{int(kept):02}")


def linked(span: ReadableSpan) -> list[int]:
    """The traces that it names besides its own."""
    return [link.context.trace_id for link in span.links]


def trace_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.trace_id)


def test_a_span_continues_the_trace_of_its_message(spans: Spans) -> None:
    with spans.tracing.message("m", TRACEPARENT) as inside:
        pass
    with spans.tracing.message("n", None) as anew:
        pass
    (continued,) = spans.finished
    assert continued.context is not None
    assert continued.parent is not None
    assert inside == f"00-0af7651916cd43dd8448eb211c80319c-{continued.context.span_id:016x}-01"
    assert f"{continued.parent.span_id:016x}" == "b7ad6b7169203331"
    assert continued.attributes == {"profile_relay.message": "m"}
    assert anew is not None
    assert not int(anew[-2:], 16) & 1


def test_what_the_span_of_a_send_says(spans: Spans) -> None:
    with spans.tracing.send([of_trace(1), of_trace(1)], "3"):
        assert not spans.finished
    (span,) = spans.finished
    assert (span.name, span.kind, span.status.status_code) == ("send hub", SpanKind.PRODUCER, StatusCode.UNSET)
    assert span.attributes == {
        "messaging.system": "eventhubs",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "hub",
        "messaging.destination.partition.id": "3",
        "messaging.batch.message_count": 2,
        "peer.service": "hub",
        "profile_relay.destination": "crm",
        "profile_relay.event_hub": "hub",
        "profile_relay.partition": "3",
        "profile_relay.events": 2,
    }
    assert (trace_of(span), linked(span)) == (1, [1])


def test_a_batch_is_in_one_of_the_traces_that_are_kept_and_linked_to_all_of_them(spans: Spans) -> None:
    with spans.tracing.send([EXPORT, of_trace(1, kept=False), of_trace(2), of_trace(3), of_trace(2)], "0"):
        pass
    (span,) = spans.finished
    assert (trace_of(span), linked(span)) == (2, [2, 3])


def test_nothing_is_told_of_a_batch_whose_traces_are_dropped_or_that_has_none(spans: Spans) -> None:
    for exports in ([of_trace(1, kept=False)], [EXPORT]):
        with spans.tracing.send(exports, "0"):
            pass
    assert spans.finished == ()


def test_as_many_links_as_arrive(spans: Spans) -> None:
    with spans.tracing.send([of_trace(number) for number in range(1, 500)], "0"):
        pass
    assert linked(spans.finished[0]) == list(range(1, MOST_LINKS + 1))


def test_of_a_failure_the_kind_is_told_and_nothing_else(spans: Spans) -> None:
    for error in (SendError("crm", "secret", FailureCode.TIMEOUT, "0"), ValueError("secret")):
        with suppress(SendError, ValueError), spans.tracing.send([of_trace(1)], "0"):
            raise error
    kinds = []
    for span in spans.finished:
        assert span.attributes is not None
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes["error.type"] == span.attributes["profile_relay.error"]
        assert "secret" not in span.to_json()
        kinds.append(span.attributes["error.type"])
    assert kinds == ["timeout", "ValueError"]
