"""How long the real Functions host lives on while the blobs of its own storage are out, with timers and without.

Run it: python -m bench.relay.real_host.blobs_out.
FUNCTIONS_HOST names the host, and FUNCTIONS_HOST_PYTHON its worker's Python.
"""

import asyncio
import re
import sys
import time
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
from local.stack.functions_host import HostKind
from local.stack.local_stack import CHANGES_QUEUE, LocalStack, require_host
from local.stack.part import PROJECT
from local.storage_faults.rules import StorageFault

_ROUNDS = 3
_LONGEST_SECONDS = 120.0
_PROFILES = 1_000
_NO_CONNECTION = StorageFault(kind="cut", service="blob")
_BUSY = StorageFault(kind="status", service="blob")
_DIRECTORY = Path(".local/bench/blobs-out")
_TIMER = re.compile(r'function_name\("(\w+)"\)\n@blueprint\.timer_trigger')


def main() -> int:
    try:
        require_host(HostKind.REAL)
        for _ in range(_ROUNDS):
            _tell("no connection, with its timers", _NO_CONNECTION, {})
        _tell("no connection, without timers", _NO_CONNECTION, _without_timers())
        _tell("HTTP 503, with its timers", _BUSY, {})
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    print(headline("python -m bench.relay.real_host.blobs_out"))
    return 0


def _tell(name: str, fault: StorageFault, settings: Mapping[str, str]) -> None:
    print(f"{name}: {asyncio.run(_round(fault, settings))}", flush=True)


def _without_timers() -> Mapping[str, str]:
    sources = [path.read_text(encoding="utf-8") for path in (PROJECT / "shared" / "triggers").glob("*.py")]
    names = [name for source in sources for name in _TIMER.findall(source)]
    return {f"AzureWebJobs.{name}.Disabled": "true" for name in names}


async def _round(fault: StorageFault, settings: Mapping[str, str]) -> str:
    """A change a second all the while."""
    with LocalStack(_DIRECTORY, hubs={app.HUB: 4}, storage_faults=True) as stack:
        await configure(stack, configuration(app.HUB))
        await fill(stack, _PROFILES)
        wanted = {"AzureWebJobsStorage": stack.settings["RELAY_STORAGE"], **settings}
        host = await asyncio.to_thread(stack.start_functions_host, kind=HostKind.REAL, settings=wanted)
        queue = QueueClient.from_connection_string(
            stack.storage_connection_string, CHANGES_QUEUE, use_env_settings=False
        )
        async with queue:
            load = LiveLoad(queue, 0, _PROFILES, changes_a_message=1)
            await load.burst(20)
            await asyncio.sleep(10)
            before = stack.broker.stats().hubs[app.HUB].events
            stack.storage_faults.set_faults(fault)
            began = time.monotonic()
            while host.running and time.monotonic() - began < _LONGEST_SECONDS:
                await load.steady(1, 1)
                await asyncio.sleep(1)
            seconds = time.monotonic() - began
            exported = stack.broker.stats().hubs[app.HUB].events - before
        how = "ended itself after" if not host.running else "still ran after"
        return f"{how} {seconds:.0f} s; in that time {exported} of {load.next - 20} changes were exported"


if __name__ == "__main__":
    sys.exit(main())
