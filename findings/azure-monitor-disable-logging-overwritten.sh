#!/usr/bin/env bash
# azure-monitor-opentelemetry 1.8.11: configure_azure_monitor takes the keyword `disable_logging`, and so do
# `disable_tracing` and `disable_metrics`, but each is overwritten from the environment before it is read. With
# disable_logging=True and no OTEL_LOGS_EXPORTER the root logger still gets a handler that exports every line; on Azure
# Functions, whose host exports the worker's lines too, each is paid for twice. OTEL_LOGS_EXPORTER=none is what works.
# Seen: OTEL_LOGS_EXPORTER=None handlers=['LoggingHandler']; OTEL_LOGS_EXPORTER=none handlers=[]
# Exits 0 while that is so, 1 when it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check azure-monitor-opentelemetry==1.8.11 \
  azure-monitor-opentelemetry-exporter==1.0.0b58
cat > "$work/show.py" <<'PYTHON'
import logging
import os

from azure.monitor.opentelemetry import configure_azure_monitor

# Nothing listens there, and nothing is sent: the process ends at once.
configure_azure_monitor(
    connection_string="InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=http://127.0.0.1:9/",
    disable_logging=True,
    disable_tracing=True,
    disable_metrics=True,
)
handlers = [type(handler).__name__ for handler in logging.getLogger().handlers]
print(f"OTEL_LOGS_EXPORTER={os.environ.get('OTEL_LOGS_EXPORTER')} handlers={handlers}", flush=True)
os._exit(0)
PYTHON
default=$(APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL=true "$work/venv/bin/python" "$work/show.py" 2>/dev/null)
none=$(APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL=true OTEL_LOGS_EXPORTER=none "$work/venv/bin/python" "$work/show.py" 2>/dev/null)
echo "$default"
echo "$none"
[[ $default == *LoggingHandler* && $none != *LoggingHandler* ]]
