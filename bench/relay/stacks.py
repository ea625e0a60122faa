"""A local stack with the app's tables and configuration, and worker processes on it."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from bench.backfill.prepared_stack import PARTITIONS, configure
from bench.backfill.worker_process import WorkerProcess
from bench.relay import app, limit, tutorial
from bench.relay.limit import Operations
from bench.relay.scene import Batch, configuration
from bench.relay.worker import APP, BARE_LIMIT, SDK_LIMIT, TUTORIAL, WHO
from local.stack import LocalStack

Run: TypeAlias = dict[str, Any]
"""What a worker process answered, and of the hub `sends`, `events` and `eventBytes`."""

_HUBS = {APP: app.HUB, TUTORIAL: tutorial.HUB, SDK_LIMIT: limit.HUB, BARE_LIMIT: limit.HUB}
_SETTINGS = {"CONFIG_CACHE_SECONDS": "30"}  # as in Azure; the stack has 1


@contextmanager
def started_stack(directory: Path) -> Iterator[LocalStack]:
    """The dataflow is there, and goes to the hub of the app."""
    with LocalStack(directory, hubs=dict.fromkeys(_HUBS.values(), PARTITIONS)) as stack:
        asyncio.run(configure(stack, configuration(app.HUB)))
        yield stack


class Workers:
    """A context manager: a process for each of `who`, on `stack`."""

    def __init__(self, stack: LocalStack, who: Iterable[str]) -> None:
        self._stack = stack
        self._who = list(who)
        self._running = ExitStack()

    def __enter__(self) -> "Workers":
        settings = self._stack.settings | _SETTINGS
        self._processes = {
            who: self._running.enter_context(
                WorkerProcess("bench.relay.worker", settings | {WHO: who}, self._stack.directory / f"{who}.log")
            )
            for who in self._who
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def run(self, who: str, batch: Batch, operations: Operations | None = None) -> Run:
        """One batch; raises RuntimeError where not each of its changes became an event."""
        wanted: dict[str, Any] = {"batch": asdict(batch)}
        if operations is not None:
            wanted["operations"] = asdict(operations)
        run = self._ask(who, wanted)
        expected = batch.changes if operations is None else operations.events
        if run["events"] != expected:
            raise RuntimeError(f"{who}: {run['events']:,} events instead of {expected:,}")
        return run

    def run_from_queue(self) -> Run:
        """The app on all that is in the queue of changes."""
        return self._ask(APP, {"fromQueue": True})

    def _ask(self, who: str, wanted: dict[str, Any]) -> Run:
        before = self._stack.broker.stats().hubs[_HUBS[who]]
        run = self._processes[who].ask(wanted)
        after = self._stack.broker.stats().hubs[_HUBS[who]]
        return run | {
            "sends": after.transfers - before.transfers,
            "events": after.events - before.events,
            "eventBytes": after.bytes - before.bytes,
        }


def operations_of(run: Run, body_bytes: int) -> Operations:
    """What the app asked for in `run` on the way of a change; not what it asks from time to time besides."""
    requests = run["requests"]
    return Operations(
        reads=requests["Profiles: read"],
        saves=sum(requests.get(f"Profiles: {how}", 0) for how in ("insert", "replace", "merge")),
        index_rows=requests.get("AudienceMembers: replace", 0),
        sends=run["sends"],
        events=run["events"],
        body_bytes=body_bytes,
    )
