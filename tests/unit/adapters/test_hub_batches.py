"""Exports as events: what the bytes say, whether or not the SDK traces what it sends."""

from dataclasses import replace

import pytest
from azure.eventhub import EventDataBatch

from shared.adapters.event_hubs.amqp_events import adder
from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export
from tests.kit.builders import NOW
from tests.kit.sdk_tracing import sdk_tracing, within_trace

EXPORT = Export(Destination(id="d", name="d", event_hub_name="d"), "p", NOW, 1, ("audience",), NOW, b"{}")
NAMES = (b"traceparent", b"Diagnostic-Id")
TRACES = [f"00-{number:032x}-{number:016x}-01" for number in range(1, 4)]


def encoded(*exports: Export) -> list[bytes]:
    """The events of a batch as they go over the wire."""
    batch = EventDataBatch(max_size_in_bytes=100_000)
    for export in exports:
        adder()(batch, export)
    return [bytes(each) for each in batch._message[5]]


def traced() -> list[Export]:
    return [replace(EXPORT, traceparent=trace) for trace in TRACES]


def test_an_event_names_its_trace_once() -> None:
    for event, own in zip(encoded(*traced()), TRACES, strict=True):
        assert [event.count(name) for name in NAMES] == [1, 1]
        assert event.count(own.encode()) == 2


def test_the_sdks_tracing_adds_nothing_to_an_event_that_has_a_trace() -> None:
    with sdk_tracing(), within_trace("f" * 32):
        with_it = encoded(*traced())
    for event, own in zip(with_it, TRACES, strict=True):
        assert [event.count(name) for name in NAMES] == [1, 1]
        assert event.count(own.encode()) == 2


@pytest.mark.parametrize("name", NAMES)
def test_the_sdks_tracing_gives_an_event_without_one_a_trace(name: bytes) -> None:
    with sdk_tracing():
        (event,) = encoded(EXPORT)
    assert event.count(name) == 1
