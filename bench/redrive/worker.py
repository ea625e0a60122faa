"""An instance of the app: works on the slices that it finds on the queue, as the Functions host hands them out.

A line on stdin, `{"watch": true}`, is a run of the timer. The answer has what that did, and the CPU seconds so far.
"""

import asyncio
import json
import os
import sys

from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from shared.adapters.queues import queue as queues
from shared.adapters.queues.pointers import SLICES
from shared.bootstrap import Relay, build, spare_the_collector
from shared.settings import Settings

_AT_A_TIME, _MORE_AT = 16, 8  # as in host.json
_LEASE_SECONDS = 600
_POLL_SECONDS = 0.1


async def work_slices(relay: Relay, queue: QueueClient) -> None:
    """For ever; a slice that fails ends it all."""
    in_hand: set[asyncio.Task[None]] = set()

    async def work(message: QueueMessage) -> None:
        await relay.services.work_slices.work(SLICES.decode(str(message.content).encode()))
        await queue.delete_message(message)

    async with asyncio.TaskGroup() as working:
        while True:
            if len(in_hand) <= _MORE_AT:
                async for message in queue.receive_messages(
                    max_messages=_AT_A_TIME, messages_per_page=_AT_A_TIME, visibility_timeout=_LEASE_SECONDS
                ):
                    task = working.create_task(work(message))
                    in_hand.add(task)
                    task.add_done_callback(in_hand.discard)
            await asyncio.sleep(_POLL_SECONDS)


async def main() -> None:
    relay = await build(os.environ)
    spare_the_collector()  # as a worker does
    queue = queues.connect(Settings.from_environment(os.environ).queues(), SLICES.name)
    working = asyncio.create_task(work_slices(relay, queue))
    while line := await asyncio.to_thread(sys.stdin.readline):
        done = (await relay.services.watch_destinations.run()).summary() if json.loads(line)["watch"] else {}
        if working.done():
            working.result()
        print(json.dumps({"done": done, "cpuSeconds": sum(os.times()[:2])}), flush=True)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await queue.close()
    await relay.close()


if __name__ == "__main__":
    asyncio.run(main())
