"""A worker process of the measurement: does what it is told on stdin, a JSON line each, and answers on stdout.

`bare` repeats the reads of the backfill before it.
"""

import asyncio
import json
import os
import sys
from typing import Any

from bench.backfill.bare import Bare
from bench.backfill.instance import Instance
from bench.harness.storage_counts import IndexPage, count_storage


async def main() -> None:
    counts = count_storage()
    instance = await Instance.start(os.environ, counts)
    bare: Bare | None = None
    pages: list[IndexPage] = []
    while line := await asyncio.to_thread(sys.stdin.readline):
        wanted = json.loads(line)
        if wanted["do"] == "backfill":
            measured = await instance.backfill((wanted["namespace"], wanted["audience"]))
            pages = list(counts.pages)
            _answer(measured)
        else:
            if bare is None:
                bare = Bare(os.environ, wanted["bodyBytes"])
                await bare.start()
            _answer(await bare.measure(pages))
    if bare is not None:
        await bare.close()
    await instance.close()


def _answer(document: dict[str, Any]) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
