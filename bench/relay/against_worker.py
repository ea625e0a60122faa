"""A worker process of `--against`: the build in whose folder it runs, `python -P this_file` with that on PYTHONPATH.

It is a program of its own, in no package, so that the same one drives builds of other revisions. Answers each JSON line
on stdin, which names a file of messages, once they are handled: all together, or one after the other.
"""

import asyncio
import gc
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from bench.relay.app import App


async def _together(app: App, messages: list[tuple[str, bytes]]) -> dict[str, Any]:
    gc.collect()
    began, cpu = time.perf_counter(), time.process_time()
    await app.run(messages)
    return {"seconds": time.perf_counter() - began, "cpuSeconds": time.process_time() - cpu}


async def _one_by_one(app: App, messages: list[tuple[str, bytes]]) -> dict[str, Any]:
    each = []
    for message in messages:
        began = time.monotonic()
        await app.run([message])
        each.append({"began": began, "ended": time.monotonic()})
    return {"each": each}


def _read(file: str) -> list[tuple[str, bytes]]:
    texts = json.loads(Path(file).read_text(encoding="utf-8"))
    return [(f"{file}-{number}", text.encode()) for number, text in enumerate(texts)]


async def main() -> None:
    app = App(os.environ)
    await app.start()
    while line := await asyncio.to_thread(sys.stdin.readline):
        wanted = json.loads(line)
        answer = await (_together if wanted["together"] else _one_by_one)(app, _read(wanted["messages"]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps(answer | {"peakKiB": peak}), flush=True)
    await app.close()


if __name__ == "__main__":
    asyncio.run(main())
