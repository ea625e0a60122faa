#!/usr/bin/env bash
# azure-eventhub 5.15.1 with SDK tracing on (core tracing plugin 1.0.0b13): an event whose producer has set `traceparent` and
# `Diagnostic-Id` itself, as text, leaves with each of them twice. The SDK looks for the names as bytes, does not find the
# text, and adds its own. AMQP maps must not repeat a key; a decoder that builds a dictionary keeps whichever comes last.
# Seen: application properties: ['traceparent', 'Diagnostic-Id', b'Diagnostic-Id', b'traceparent']
# Exits 0 while that is so, 1 when it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check azure-eventhub==5.15.1 azure-core==1.41.0 \
  azure-core-tracing-opentelemetry==1.0.0b13 opentelemetry-sdk==1.45.1
cat > "$work/show.py" <<'PYTHON'
import sys

from azure.core.settings import settings
from azure.core.tracing.ext.opentelemetry_span import OpenTelemetrySpan
from azure.eventhub import EventData, EventDataBatch
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

trace.set_tracer_provider(TracerProvider())
settings.tracing_implementation = OpenTelemetrySpan
event = EventData(b"{}")
own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
event.properties = {"traceparent": own, "Diagnostic-Id": own}
batch = EventDataBatch(max_size_in_bytes=1_000_000)
batch.add(event)
names = [name for name in batch._internal_events[0]._message.application_properties]
print("application properties:", names)
as_text = [name.decode() if isinstance(name, bytes) else name for name in names]
sys.exit(0 if as_text.count("traceparent") == as_text.count("Diagnostic-Id") == 2 else 1)
PYTHON
"$work/venv/bin/python" "$work/show.py"
