"""With the setting, metrics and spans reach Application Insights, or whoever listens at its address; without it,
nothing of OpenTelemetry is even imported.
"""

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local.stack.part import PROJECT

WITHOUT = """
import sys
import function_app, shared.bootstrap
from shared.telemetry import metrics_and_traces
metrics_and_traces(None)
print([name for name in sys.modules if name.startswith(("opentelemetry", "azure.monitor"))])
"""
WITH = """
import sys
from opentelemetry import metrics, trace
from shared.domain.alerts.alert import Alert
from shared.domain.runs import RunCounts
from shared.telemetry import metrics_and_traces
sink, tracing = metrics_and_traces(sys.argv[1])
counts = RunCounts(received=3)
counts.latency.add(2_000_000)
sink.publish("crm", counts)
sink.publish_alerts([Alert(id="1", destination_id="crm", rule="dead-rows", threshold=10, value=12, opened_at=1)])
with tracing.message("m-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
    pass
assert metrics.get_meter_provider().force_flush() and trace.get_tracer_provider().force_flush()
"""


@pytest.fixture
def insights() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A connection string, and what was sent to it."""
    received: list[dict[str, Any]] = []

    class Ingestion(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            sent = json.loads(body)
            received.extend(sent)
            answer = json.dumps({"itemsReceived": len(sent), "itemsAccepted": len(sent), "errors": []}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Ingestion) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        key = "00000000-0000-0000-0000-000000000001"
        yield f"InstrumentationKey={key};IngestionEndpoint=http://127.0.0.1:{server.server_port}/", received
        server.shutdown()
        serving.join()


def run(script: str, *arguments: str) -> str:
    """What `script` prints, in a new interpreter that calls nobody else."""
    quiet = {
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
        "OTEL_TRACES_SAMPLER": "always_on",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env=os.environ | quiet,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_with_the_setting_metrics_and_spans_arrive(insights: tuple[str, list[dict[str, Any]]]) -> None:
    connection_string, received = insights
    run(WITH, connection_string)
    told = [each["data"] for each in received]
    metrics = {
        (metric["name"], each["baseData"]["properties"].get("quantile")): metric["value"]
        for each in told
        if each["baseType"] == "MetricData"
        for metric in each["baseData"]["metrics"]
    }
    assert metrics["profile_relay.received", None] == 3
    assert metrics["profile_relay.latency", "p95"] == pytest.approx(2, rel=0.42)
    assert metrics["profile_relay.alerts.open", None] == 1
    (alert,) = (
        each["baseData"]["properties"]
        for each in told
        if each["baseType"] == "MetricData" and "rule" in each["baseData"]["properties"]
    )
    assert (alert["destination"], alert["rule"], alert["threshold"]) == ("crm", "dead-rows", "10.0")
    (span,) = (each["baseData"] for each in told if each["baseType"] == "RequestData")
    assert span["properties"]["profile_relay.message"] == "m-1"
    tags = next(each["tags"] for each in received if each["data"]["baseType"] == "RequestData")
    assert tags["ai.operation.id"] == "0af7651916cd43dd8448eb211c80319c"


def test_without_the_setting_nothing_of_it_is_imported() -> None:
    assert run(WITHOUT) == "[]\n"
