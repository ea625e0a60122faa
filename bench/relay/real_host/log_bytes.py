"""What the real Functions host writes into its log for a message: by its own log levels, and by those of host.json.

Run it: python -m bench.relay.real_host.log_bytes.
FUNCTIONS_HOST names the host, and FUNCTIONS_HOST_PYTHON its worker's Python.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from azure.storage.queue.aio import QueueClient

from bench.harness.configured import configure
from bench.harness.live_load import LiveLoad
from bench.harness.report import headline
from bench.relay import app
from bench.relay.filling import fill
from bench.relay.scene import configuration
from local.errors import LocalError
from local.eventually import eventually
from local.stack.functions_host import FunctionsHost, HostKind
from local.stack.local_stack import CHANGES_QUEUE, LocalStack, require_host
from local.stack.part import PROJECT
from local.storage_faults.rules import StorageFault

_MESSAGES = 200
_FAILURES = 10
_PATIENCE = 120.0
_SETTLED_SECONDS = 5.0
_DIRECTORY = Path(".local/bench/log-bytes")
_FAILED = "export_profile_changes failed: "
_NEVER = "0 0 0 1 1 *"
_NO_TIMERS = dict.fromkeys(("WATCH_SCHEDULE", "BACKFILL_SCHEDULE", "SWEEP_SCHEDULE", "ALERT_SCHEDULE"), _NEVER)


def main() -> int:
    try:
        require_host(HostKind.REAL)
        with LocalStack(_DIRECTORY, hubs={app.HUB: 4}, storage_faults=True) as stack:
            asyncio.run(_measure(stack))
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    print(headline("python -m bench.relay.real_host.log_bytes"))
    return 0


async def _measure(stack: LocalStack) -> None:
    await configure(stack, configuration(app.HUB))
    await fill(stack, _MESSAGES)
    for name, level in (("the host's own levels", "Information"), ("host.json's levels", "None")):
        settings = {**_NO_TIMERS, **_levels(level)}
        host = await asyncio.to_thread(stack.start_functions_host, kind=HostKind.REAL, settings=settings)
        try:
            print(f"{name}: {await _bytes_a_message(stack, host):,.0f} bytes of log a message", flush=True)
            print(f"{name}: {await _bytes_a_failure(stack, host):,.0f} bytes of log a failure of storage", flush=True)
        finally:
            await asyncio.to_thread(host.kill)


def _levels(level: str) -> Mapping[str, str]:
    """For what host.json keeps out of the log. The stack itself lets it in, for it counts invocations there."""
    levels = json.loads((PROJECT / "host.json").read_text(encoding="utf-8"))["logging"]["logLevel"]
    quiet = [category for category, of_file in levels.items() if of_file == "None"]
    return {f"AzureFunctionsJobHost__logging__logLevel__{category}": level for category in quiet}


async def _bytes_a_message(stack: LocalStack, host: FunctionsHost) -> float:
    async with _changes(stack) as queue:

        async def empty() -> bool:
            return (await queue.get_queue_properties()).approximate_message_count == 0

        await eventually(empty, timeout=_PATIENCE)  # of the messages that failed on the host before
        await asyncio.sleep(_SETTLED_SECONDS)
        before = host.log.stat().st_size
        await LiveLoad(queue, host.pid * _MESSAGES, _MESSAGES, changes_a_message=1).burst(_MESSAGES)
        await eventually(empty, timeout=_PATIENCE)
        await asyncio.sleep(_SETTLED_SECONDS)
    return (host.log.stat().st_size - before) / _MESSAGES


async def _bytes_a_failure(stack: LocalStack, host: FunctionsHost) -> float:
    before = host.log.stat().st_size

    def written() -> str:
        return host.log.read_bytes()[before:].decode(errors="replace")

    stack.storage_faults.set_faults(StorageFault(kind="status", service="table", path="/Profiles"))
    try:
        async with _changes(stack) as queue:
            await LiveLoad(queue, 0, _FAILURES, changes_a_message=1).burst(_FAILURES)
            await eventually(lambda: written().count(_FAILED) >= _FAILURES, timeout=_PATIENCE)
            await asyncio.sleep(_SETTLED_SECONDS)
        text = written()
    finally:
        stack.storage_faults.clear_faults()
    return len(text.encode()) / text.count(_FAILED)


def _changes(stack: LocalStack) -> QueueClient:
    return QueueClient.from_connection_string(stack.storage_connection_string, CHANGES_QUEUE, use_env_settings=False)


if __name__ == "__main__":
    sys.exit(main())
