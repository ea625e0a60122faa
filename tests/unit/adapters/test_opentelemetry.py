"""The same counts as OpenTelemetry metrics."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from shared.adapters.telemetry.metrics import PREFIX, OpenTelemetryMetrics
from shared.domain.alerts.alert import Alert
from shared.domain.instants import SECOND
from shared.domain.runs import Histogram, RunCounts
from tests.kit.builders import NOW

DOCUMENT = Path(__file__).parents[3] / "docs/metrics.md"


def some_counts() -> RunCounts:
    counts = RunCounts(received=8, failed=2, retried=1, dead=3, parked=4, throttled=7, bytes_sent=500)
    counts.activated.update({"audience": 5, "attribute": 1})
    counts.excluded.update({"trigger off": 2})
    counts.decided_again.update({"saved by others": 3})
    for second in range(1, 101):
        counts.latency.add(second * SECOND)
    counts.freshness.add(60 * SECOND)
    return counts


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    yield reader
    reader.shutdown()


def collected(reader: InMemoryMetricReader) -> dict[tuple[str, frozenset[tuple[str, Any]]], Any]:
    """The value of each metric and set of attributes."""
    data = reader.get_metrics_data()
    return {
        (metric.name.removeprefix(PREFIX), frozenset((point.attributes or {}).items())): getattr(point, "value", None)
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


def test_each_count_is_a_metric(reader: InMemoryMetricReader) -> None:
    sink = OpenTelemetryMetrics(MeterProvider([reader], shutdown_on_exit=False).get_meter("test"))
    counts = some_counts()
    sink.publish("d", counts)
    sink.publish("d", RunCounts(received=1))
    sink.publish("e", RunCounts(received=1))
    found = collected(reader)
    d = ("destination", "d")
    assert found.pop(("received", frozenset({("destination", "e")}))) == 1
    for quantile, share in (("p50", 0.5), ("p95", 0.95)):
        for name, histogram in (("latency", counts.latency), ("freshness", counts.freshness)):
            seconds = histogram.quantile(share)
            assert seconds is not None
            assert found.pop((name, frozenset({d, ("quantile", quantile)}))) == seconds / SECOND
    assert found == {
        ("received", frozenset({d})): 9,
        ("failed", frozenset({d})): 2,
        ("retried", frozenset({d})): 1,
        ("throttled", frozenset({d})): 7,
        ("dead", frozenset({d})): 3,
        ("parked", frozenset({d})): 4,
        ("bytes_sent", frozenset({d})): 500,
        ("activated", frozenset({d, ("reason", "audience")})): 5,
        ("activated", frozenset({d, ("reason", "attribute")})): 1,
        ("excluded", frozenset({d, ("reason", "trigger off")})): 2,
        ("decided_again", frozenset({d, ("reason", "saved by others")})): 3,
    }


A = ("ups", "a")
NAMED_A = frozenset({("namespace", "ups"), ("audience", "a")})


def test_who_enters_and_leaves_audiences_adds_up_and_members_are_told_once(reader: InMemoryMetricReader) -> None:
    sink = OpenTelemetryMetrics(MeterProvider([reader], shutdown_on_exit=False).get_meter("test"))
    sink.publish_crossings({(A, True): 3, (A, False): 1})
    sink.publish_crossings({(A, True): 2, (("x", "b"), True): 1})
    sink.publish_members({A: 7})
    of_b = frozenset({("namespace", "x"), ("audience", "b")})
    crossed = {("audience.entered", NAMED_A): 5, ("audience.left", NAMED_A): 1, ("audience.entered", of_b): 1}
    assert collected(reader) == crossed | {("audience.members", NAMED_A): 7}
    assert collected(reader) == crossed


def test_how_far_consumers_are_behind_is_told_once_as_it_was_seen_last(reader: InMemoryMetricReader) -> None:
    sink = OpenTelemetryMetrics(MeterProvider([reader], shutdown_on_exit=False).get_meter("test"))
    sink.publish_consumer_lags("d", {"loader": (9, 9.0), "gone": (1, 1.0)})
    sink.publish_consumer_lags("d", {"loader": (3, 60.0), "other": (0, None)})
    sink.publish_consumer_lags("e", {"loader": (4, 0.0)})
    loader, other = (frozenset({("destination", "d"), ("consumer_group", name)}) for name in ("loader", "other"))
    of_e = frozenset({("destination", "e"), ("consumer_group", "loader")})
    events = {("consumer.events_behind", group): count for group, count in ((loader, 3), (other, 0), (of_e, 4))}
    seconds = {("consumer.seconds_behind", group): waited for group, waited in ((loader, 60.0), (of_e, 0.0))}
    assert collected(reader) == events | seconds
    assert collected(reader) == {}


def test_quantiles_are_of_all_since_the_last_export_and_of_nothing_before(reader: InMemoryMetricReader) -> None:
    sink = OpenTelemetryMetrics(MeterProvider([reader], shutdown_on_exit=False).get_meter("test"))
    both = Histogram()
    for seconds in (1, 100):
        counts = RunCounts()
        counts.latency.add(seconds * SECOND)
        both.merge(counts.latency)
        sink.publish("d", counts)
    p50 = ("latency", frozenset({("destination", "d"), ("quantile", "p50")}))
    median = both.quantile(0.5)
    assert median is not None
    assert collected(reader)[p50] == median / SECOND
    assert p50 not in collected(reader)


def an_alert(rule: str, threshold: float, resolved_at: int = 0) -> Alert:
    return Alert(
        id="1", destination_id="d", rule=rule, threshold=threshold, value=9, opened_at=NOW, resolved_at=resolved_at
    )


def test_open_alerts_are_told_of_by_who_judged_them_last(reader: InMemoryMetricReader) -> None:
    sink = OpenTelemetryMetrics(MeterProvider([reader], shutdown_on_exit=False).get_meter("test"))
    assert collected(reader) == {}
    sink.publish_alerts([an_alert("dead-rows", 0), an_alert("dead-rows", 10)])
    sink.publish_alerts([an_alert("dead-rows", 0), an_alert("dead-rows", 10, NOW + 1)])
    rule = {("destination", "d"), ("rule", "dead-rows")}
    assert collected(reader) == {
        ("alerts.open", frozenset({*rule, ("threshold", 0)})): 1,
        ("alerts.open", frozenset({*rule, ("threshold", 10)})): 0,
    }
    assert collected(reader) == {}


def test_the_document_lists_every_metric_with_its_unit(reader: InMemoryMetricReader) -> None:
    sink = OpenTelemetryMetrics(MeterProvider([reader], shutdown_on_exit=False).get_meter("test"))
    sink.publish("d", some_counts())
    sink.publish_alerts([an_alert("dead-rows", 0)])
    sink.publish_crossings({(A, True): 1, (A, False): 1})
    sink.publish_members({A: 1})
    sink.publish_consumer_lags("d", {"loader": (1, 1.0)})
    told = re.findall(r"^\| (?:`\w+` )?\| `profile_relay\.([\w.]+)` \| (\w+) \|", DOCUMENT.read_text(), re.MULTILINE)
    units = {"By": "bytes", "s": "seconds"}
    data = reader.get_metrics_data()
    assert data is not None
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    assert dict(told) == {
        metric.name.removeprefix(PREFIX): units.get(metric.unit or "", (metric.unit or "").strip("{}") + "s")
        for metric in metrics
    }
