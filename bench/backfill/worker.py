"""A worker process of the measurement: backfills what it is told on stdin, a JSON line each, and answers on stdout."""

import asyncio
import json
import os
import sys

from bench.backfill.instance import Instance
from bench.harness.storage_counts import count_storage


async def main() -> None:
    counts = count_storage()
    instance = await Instance.start(os.environ, counts)
    while line := await asyncio.to_thread(sys.stdin.readline):
        wanted = json.loads(line)
        measured = await instance.backfill((wanted["namespace"], wanted["audience"]))
        print(json.dumps(measured), flush=True)
    await instance.close()


if __name__ == "__main__":
    asyncio.run(main())
