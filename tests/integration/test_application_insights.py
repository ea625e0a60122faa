"""With the setting, metrics and spans reach Application Insights, or whoever listens at its address, and nothing else
does; without it, nothing of OpenTelemetry is even imported.
"""

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from local.stack.part import PROJECT
from shared.adapters.telemetry import azure_monitor
from shared.adapters.telemetry.metrics import OpenTelemetryMetrics
from shared.adapters.telemetry.tracing import OpenTelemetryTracing
from shared.domain.alerts.alert import Alert
from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export
from shared.domain.runs import RunCounts
from shared.errors import FailureCode, SendError
from shared.settings import Settings
from shared.telemetry import NoMetrics, metrics_and_traces
from tests.kit.ingestion import IDENTITY, Ingestion, ingestion

WITHOUT = """
import sys
import function_app, shared.bootstrap
from shared.telemetry import metrics_and_traces
metrics_and_traces(None)
print([name for name in sys.modules if name.startswith(("opentelemetry", "azure.monitor"))])
"""
TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
READ_BY_EXPORTERS = ("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", *azure_monitor.DEFAULTS)


@dataclass
class Telemetry:
    metrics: OpenTelemetryMetrics
    tracing: OpenTelemetryTracing
    meters: MeterProvider
    tracers: TracerProvider

    def flush(self) -> None:
        self.meters.force_flush()
        self.tracers.force_flush()

    def count(self, *received: int) -> None:
        """Tell each count by itself."""
        for each in received:
            self.metrics.publish("crm", RunCounts(received=each))
            self.flush()


@pytest.fixture
def insights() -> Iterator[Ingestion]:
    with ingestion() as listening:
        yield listening


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where what could not be sent is kept; and an environment that says nothing of telemetry."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in READ_BY_EXPORTERS:
        monkeypatch.setenv(name, "")  # so that whatever the exporters' defaults are set to is taken back
        monkeypatch.delenv(name)
    return tmp_path


@contextmanager
def telemetry(insights: Ingestion, settings: Mapping[str, str] | None = None) -> Iterator[Telemetry]:
    environment = {"APPLICATIONINSIGHTS_CONNECTION_STRING": insights.connection_string} | dict(settings or {})
    configured = Settings.from_environment(environment).application_insights
    assert configured is not None
    meters, tracers = azure_monitor.providers(configured)
    sink, tracing = OpenTelemetryMetrics(meters.get_meter("test")), OpenTelemetryTracing(tracers.get_tracer("test"))
    try:
        yield Telemetry(sink, tracing, meters, tracers)
    finally:
        tracers.shutdown()
        meters.shutdown()


def files(kept: Path) -> list[Path]:
    return sorted(kept.rglob("*.blob*"))


def counts_in(kept: Path) -> int:
    """How many counts lie in files."""
    return sum(path.read_text().count("profile_relay.received") for path in files(kept))


def test_metrics_and_spans_arrive_and_nothing_else(insights: Ingestion) -> None:
    handlers = list(logging.getLogger().handlers)
    counts = RunCounts(received=3)
    counts.latency.add(2_000_000)
    alert = Alert(id="1", destination_id="crm", rule="dead-rows", threshold=10, value=12, opened_at=1)
    with telemetry(insights, {"WEBSITE_SITE_NAME": "func-relay"}) as told:
        told.metrics.publish("crm", counts)
        told.metrics.publish_alerts([alert])
        with told.tracing.message("m-1", SAMPLED):
            logging.getLogger("shared.any").warning("a line of the log")
        logging.getLogger("azure.any").error("another")
        told.flush()
    assert insights.metrics("profile_relay.received") == [(3, {"destination": "crm"})]
    ((latency, _),) = [each for each in insights.metrics("profile_relay.latency") if each[1]["quantile"] == "p95"]
    assert latency == pytest.approx(2, rel=0.42)
    rule = {"destination": "crm", "rule": "dead-rows", "threshold": "10.0"}
    assert insights.metrics("profile_relay.alerts.open") == [(1, rule)]
    names = {metric["name"] for data in insights.of_kind("MetricData") for metric in data["metrics"]}
    assert {name.split(".")[0] for name in names} == {"profile_relay"}
    assert {item["data"]["baseType"] for item in insights.items} == {"MetricData", "RequestData"}
    assert all(request.endswith("/track") for request in insights.requests)
    tags = [item["tags"] for item in insights.items]
    assert {each["ai.cloud.role"] for each in tags} == {"func-relay"}
    assert {each.get("ai.operation.id") for each in tags} == {None, TRACE}
    assert logging.getLogger().handlers == handlers


def test_nobody_else_in_the_process_finds_a_provider(insights: Ingestion) -> None:
    with telemetry(insights):
        found = (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider())
    assert [type(each).__module__.split(".")[1] for each in found] == ["trace", "metrics", "_logs"]


def test_what_a_span_says_of_its_message_arrives(insights: Ingestion) -> None:
    """Azure Monitor drops attributes with standard names; nothing of what a message held is told."""
    with telemetry(insights) as told:
        with told.tracing.message("m-1", SAMPLED):
            pass
        with suppress(LookupError), told.tracing.message("m-2", SAMPLED):
            raise LookupError("somebody's name")
    sound, failed = insights.of_kind("RequestData")
    assert (sound["success"], sound["properties"]) == (True, {"profile_relay.message": "m-1"})
    assert failed["success"] is False
    assert failed["properties"] == {"profile_relay.message": "m-2", "profile_relay.error": "LookupError"}
    assert "somebody" not in str(insights.items)


def test_what_a_span_says_of_a_send_arrives(insights: Ingestion) -> None:
    """In the trace of the change, and with names of our own."""
    destination = Destination(id="crm", name="CRM", event_hub_name="hub")
    export = Export(destination, "p", 1, 1, ("audience",), 1, b"{}", SAMPLED)
    with telemetry(insights) as told:
        with told.tracing.send([export], "2"):
            pass
        with suppress(SendError), told.tracing.send([export], "2"):
            raise SendError("crm", "somebody's name", FailureCode.TIMEOUT, "2")
    sound, failed = insights.of_kind("RemoteDependencyData")
    assert (sound["name"], sound["type"], sound["target"]) == ("send hub", "Queue Message | eventhubs", "hub")
    assert (sound["success"], failed["success"]) == (True, False)
    own = {name: value for name, value in failed["properties"].items() if not name.startswith("_MS.")}
    assert own == {
        "profile_relay.destination": "crm",
        "profile_relay.event_hub": "hub",
        "profile_relay.partition": "2",
        "profile_relay.events": "1",
        "profile_relay.error": "timeout",
    }
    assert TRACE in sound["properties"]["_MS.links"]
    assert {item["tags"]["ai.operation.id"] for item in insights.items} == {TRACE}
    assert "somebody" not in str(insights.items)


@pytest.mark.parametrize(
    ("flags", "settings", "passed_on"),
    [
        ("01", {}, True),
        ("00", {}, False),
        ("01", {"OTEL_TRACES_SAMPLER_ARG": "0"}, True),
        ("", {"OTEL_TRACES_SAMPLER_ARG": "0"}, False),
        ("", {"OTEL_TRACES_SAMPLER_ARG": "1"}, True),
        ("00", {"OTEL_TRACES_SAMPLER": "always_on"}, True),
        ("01", {"OTEL_TRACES_SAMPLER": "always_off"}, False),
    ],
    ids=["kept by its caller", "dropped by its caller", "kept, no roots", "no roots", "all roots", "all", "none"],
)
def test_a_trace_is_kept_or_dropped_as_by_its_caller(
    insights: Ingestion, monkeypatch: pytest.MonkeyPatch, flags: str, settings: dict[str, str], passed_on: bool
) -> None:
    """Right from the start, and however many come in a second."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with telemetry(insights) as told:
        for number in range(1, 41):
            traceparent = f"00-{number:032x}-b7ad6b7169203331-{flags}" if flags else None
            with told.tracing.message(f"m-{number}", traceparent) as out:
                assert out is not None
                assert bool(int(out[-2:], 16) & 1) is passed_on
    assert len(insights.of_kind("RequestData")) == (40 if passed_on else 0)


def test_a_few_of_the_messages_without_a_trace_begin_one(insights: Ingestion) -> None:
    with telemetry(insights) as told:
        for number in range(2000):
            with told.tracing.message(f"m-{number}", None):
                pass
    assert 40 < len(insights.of_kind("RequestData")) < 180


@pytest.mark.parametrize("refusal", [429, 503])
def test_a_busy_ingestion_is_asked_once_and_the_batch_is_kept(insights: Ingestion, kept: Path, refusal: int) -> None:
    """The `Retry-After` is not slept off: what comes next would be dropped meanwhile."""
    insights.refusals = [(refusal, {"Retry-After": "30"})]
    with telemetry(insights) as told:
        told.count(3, 4)
        assert (len(insights.requests), counts_in(kept)) == (2, 1)
    assert [value for value, _ in insights.metrics("profile_relay.received")] == [4]


def test_a_silent_ingestion_is_given_up(insights: Ingestion, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One wait a request, and what was to be told lies in a file."""
    monkeypatch.setattr(azure_monitor, "PATIENCE", 0.1)
    insights.silent = True
    with telemetry(insights) as told:
        told.count(3, 4)
        with told.tracing.message("m", SAMPLED):
            pass
    assert (len(insights.requests), counts_in(kept)) == (3, 2)


@pytest.mark.parametrize("status", [500, 400, 404])
def test_what_meets_no_token_is_sent_once_there_is_one(
    kept: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """By the same process or another: it lies in a file, where it is left alone for a minute."""
    certificate = kept / "certificate.pem"
    with ingestion(certificate) as insights:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        for name, value in insights.identity.items():
            monkeypatch.setenv(name, value)
        by_identity = {"APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "ClientId=c;Authorization=AAD"}
        insights.token_status = status
        with telemetry(insights, by_identity) as told:
            told.count(3, 4)
        assert (insights.items, counts_in(kept)) == ([], 2)
        for file in files(kept):
            file.rename(file.with_name(file.name.partition("@")[0]))
        insights.token_status = 200
        with telemetry(insights, by_identity) as told:
            told.count(5)
    assert sorted(value for value, _ in insights.metrics("profile_relay.received")) == [3, 4, 5]
    assert set(insights.authorizations) == {"Bearer a-token"}
    asked = [request for request in insights.requests if request.startswith(IDENTITY)]
    assert asked
    assert all("client_id=c" in request for request in asked)


@pytest.mark.parametrize("value", ["InstrumentationKey=none", "x", "InstrumentationKey=;IngestionEndpoint=http://a"])
def test_a_setting_that_is_none_stops_nothing_but_telemetry(value: str, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings.from_environment({"APPLICATIONINSIGHTS_CONNECTION_STRING": value})
    sink, _ = metrics_and_traces(settings.application_insights)
    assert isinstance(sink, NoMetrics)
    assert "APPLICATIONINSIGHTS_CONNECTION_STRING" in caplog.text
    assert value not in caplog.text


def test_without_the_setting_nothing_of_it_is_imported() -> None:
    assert Settings.from_environment({"APPLICATIONINSIGHTS_CONNECTION_STRING": " "}).application_insights is None
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env=os.environ,
        timeout=120,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)
