"""A worker process of the measurement: `python -m bench.relay.worker`, who is measured being named by BENCH_WHO.

Does what it is told on stdin, a JSON line each, and answers on stdout with the time that it took and what it asked of
the storage. Making messages is not in that time.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Mapping
from typing import Any, TypeAlias

from bench.relay.app import App
from bench.relay.limit import Limit, Operations
from bench.relay.limit_storage import BareStorage, SdkStorage
from bench.relay.scene import Batch, changes_of, messages_of
from bench.relay.traffic import Traffic, count_traffic
from bench.relay.tutorial import Tutorial

WHO = "BENCH_WHO"
APP, TUTORIAL, SDK_LIMIT, BARE_LIMIT = "app", "tutorial", "limit", "bare"

Measured: TypeAlias = App | Tutorial | Limit


def _new(who: str, environment: Mapping[str, str]) -> Measured:
    if who == APP:
        return App(environment)
    if who == TUTORIAL:
        return Tutorial(environment)
    storage = SdkStorage(environment) if who == SDK_LIMIT else BareStorage(environment)
    return Limit(environment, storage)


def _work_of(measured: Measured, wanted: dict[str, Any]) -> Awaitable[None]:
    if "fromQueue" in wanted and isinstance(measured, App):
        return measured.run_from_queue(wanted["fromQueue"])
    batch = Batch(**wanted["batch"])
    if isinstance(measured, Limit):
        return measured.run(batch.profiles, Operations(**wanted["operations"]))
    texts = messages_of([json.dumps(change) for change in changes_of(batch)], measured.most_changes)
    identity = f"{batch.mix}-{batch.first}-{batch.at}"
    return measured.run([(f"{identity}-{number}", text.encode()) for number, text in enumerate(texts)])


async def _timed(work: Awaitable[None], traffic: Traffic) -> dict[str, Any]:
    gc.collect()
    traffic.clear()
    began, cpu = time.perf_counter(), time.process_time()
    await work
    return {
        "seconds": time.perf_counter() - began,
        "cpuSeconds": time.process_time() - cpu,
        **traffic.to_json(),
    }


async def main() -> None:
    traffic = count_traffic()
    measured = _new(os.environ[WHO], os.environ)
    await measured.start()
    while line := await asyncio.to_thread(sys.stdin.readline):
        run = await _timed(_work_of(measured, json.loads(line)), traffic)
        print(json.dumps(run), flush=True)
    await measured.close()


if __name__ == "__main__":
    asyncio.run(main())
