"""All steps on one stack: each is asked for while nothing is under way, and judged by the hub once nothing is."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from azure.storage.queue.aio import QueueClient

from bench.harness.configured import PARTITIONS, configure
from bench.harness.people import MEMBERS, NAMESPACE
from bench.harness.seeding import Population, seed
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from tests.faults.load.run import HOST_SETTINGS, NEVER, TIMERS
from tests.faults.load.storage import POISON_QUEUES, Storage
from tests.faults.resync.audience import CALM, KILLED, OTHER, Model, configuration
from tests.faults.resync.counting import Counting
from tests.faults.resync.exporting import Exporting
from tests.faults.resync.flow import Flow
from tests.faults.resync.follow import Report, Scene
from tests.faults.resync.hosts import Hosts
from tests.faults.resync.hubs import Hubs
from tests.faults.resync.report import StepResult
from tests.faults.resync.size import Size
from tests.kit import running_host


async def run(
    directory: Path, size: Size, seed_number: int, report: Report, results: list[StepResult] | None = None
) -> list[StepResult]:
    """The last result is of what is left behind. `report` is told how far it is; `results` has those so far, for
    whoever does not wait for all.
    """
    results = [] if results is None else results
    async with _scene(directory, size, random.Random(seed_number), report) as scene:
        counting, exporting = Counting(scene), Exporting(scene)
        async with scene.flow.flowing(), counting.watched():
            for what, kind in size.steps:
                began = time.monotonic()
                play = counting.count if what == "count" else exporting.play
                try:
                    result = await play(what, kind)
                except (AssertionError, TimeoutError) as error:  # something did not come about in time
                    result = StepResult(step=f"{what}, {kind}", kills=0, in_scope=0, wrong=[f"not judged: {error!r}"])
                report(f"{result.to_json()}, {time.monotonic() - began:.0f} s with all that belongs to it")
                results.append(result)
        async with scene.flow.held():
            results.append(await _left_behind(scene, counting))
        return results


async def _left_behind(scene: Scene, counting: Counting) -> StepResult:
    wrong = counting.untrue() + [f"in quarantine: {why}" for why in await scene.storage.quarantined()]
    if poisoned := await scene.storage.waiting(POISON_QUEUES):
        wrong.append(f"{poisoned:,} messages are on poison queues")
    wrong += [f"{part.name} died; {part.what_it_printed()}" for part in scene.stack.dead_parts]
    return StepResult(
        step="all the while",
        kills=len(scene.hosts.kills),
        in_scope=len(scene.model.numbers),
        wrong=wrong,
        notes=[f"{len(scene.model.changes):,} changes", *counting.notes],
    )


@asynccontextmanager
async def _scene(directory: Path, size: Size, rng: random.Random, report: Report) -> AsyncIterator[Scene]:
    """Two hosts on a stack with everybody in its tables; destinations are there, dataflows are not."""
    with LocalStack(directory, hubs=dict.fromkeys((CALM, KILLED), PARTITIONS), tables_apart=True) as stack:
        await configure(stack, configuration([]))
        connection_string = stack.storage_connection_string
        listed = frozenset({MEMBERS, (NAMESPACE, OTHER)})
        population = Population(connection_string, size.members, size.outsiders, listed)
        await asyncio.to_thread(seed, [population])
        model = Model.seeded(size.members, size.outsiders, rng)
        report("hosts start")
        for timer in TIMERS:
            settings = HOST_SETTINGS | {
                "BACKFILL_PER_SECOND": str(size.per_second),
                "CONFIG_CACHE_SECONDS": str(size.config_cache),
                "SEND_TIMEOUT": str(size.send_timeout),
                "BACKFILL_SCHEDULE": timer,
                "WATCH_SCHEDULE": timer,
                "ALERT_SCHEDULE": NEVER,
                "SWEEP_SCHEDULE": NEVER,
            }
            await asyncio.to_thread(
                stack.start_functions_host, kind=running_host.KIND, settings=settings, lease_seconds=size.lease
            )
        async with (
            Storage(connection_string) as storage,
            QueueClient.from_connection_string(connection_string, CHANGES_QUEUE, use_env_settings=False) as queue,
            Hubs(stack).read() as hubs,
            Hosts(stack, rng) as hosts,
        ):
            flow = Flow(queue, storage, model, size.rate, size.together)
            yield Scene(stack, size, rng, model, flow, storage, hubs, hosts, report)
