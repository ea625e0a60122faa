"""A local stack with the app's tables and configuration, and worker processes on it."""

import asyncio
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from bench.harness.configured import PARTITIONS, configure
from bench.harness.worker_process import WorkerProcess
from bench.relay import app, limit, tutorial
from bench.relay.limit import Operations
from bench.relay.scene import Batch, configuration
from bench.relay.worker import APP, BARE_LIMIT, SDK_LIMIT, TUTORIAL, WHO
from local.stack.local_stack import LocalStack

Run: TypeAlias = dict[str, Any]
"""What a worker process answered, and of the hub `sends`, `events` and `eventBytes`."""

_HUBS = {APP: app.HUB, TUTORIAL: tutorial.HUB, SDK_LIMIT: limit.HUB, BARE_LIMIT: limit.HUB}
_READ = "Profiles: read"
_SAVES = tuple(f"Profiles: {how}" for how in ("insert", "replace", "merge"))
_INDEX_ROWS = tuple(f"AudienceMembers: {how}" for how in ("insert", "replace", "merge"))
_LIMITED = frozenset({_READ, *_SAVES, *_INDEX_ROWS})
_FROM_TIME_TO_TIME = ("Configuration: ", "Runs: ", "LastExports: ", "queue ")
_SETTINGS = {"CONFIG_CACHE_SECONDS": "30"}  # as in Azure; the stack has 1


@contextmanager
def started_stack(directory: Path, *, in_memory: bool = True, tables_apart: bool = False) -> Iterator[LocalStack]:
    """The dataflow is there, and goes to the hub of the app. Nothing is left of what an earlier one stored."""
    shutil.rmtree(directory, ignore_errors=True)
    hubs = dict.fromkeys(_HUBS.values(), PARTITIONS)
    with LocalStack(directory, hubs=hubs, in_memory=in_memory, tables_apart=tables_apart) as stack:
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
        """One batch. Raises RuntimeError where not each of its changes became an event, or not all `operations` were
        done that the limit was asked for.
        """
        wanted: dict[str, Any] = {"batch": asdict(batch)}
        if operations is None:
            run = self._ask(who, wanted)
            if run["events"] != batch.changes:
                raise RuntimeError(f"{who}: {run['events']:,} events instead of {batch.changes:,}")
            return run
        run = self._ask(who, wanted | {"operations": asdict(operations)})
        if (done := operations_of(run, operations.body_bytes)) != operations:
            raise RuntimeError(f"{who}: asked for {operations}, got {done}")
        return run

    def run_from_queue(self, messages: int) -> Run:
        """The app on the `messages` that are in the queue of changes."""
        return self._ask(APP, {"fromQueue": messages})

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
    """What the app asked for in `run` on the way of a change; not what it asks from time to time besides.

    Raises RuntimeError for a request that the limit does not know, and where none was seen: the limit would do less
    than the app does.
    """
    requests: dict[str, int] = run["requests"]
    if unknown := [kind for kind in requests if kind not in _LIMITED and not kind.startswith(_FROM_TIME_TO_TIME)]:
        raise RuntimeError(f"the limit does not know the requests {', '.join(unknown)}: teach it to bench.relay.limit")
    saves = sum(requests.get(kind, 0) for kind in _SAVES)
    if run["events"] and not saves:
        raise RuntimeError("no save was counted: bench.relay.traffic sees only what aiohttp or the wire sends")
    return Operations(
        reads=requests.get(_READ, 0),
        saves=saves,
        index_rows=sum(requests.get(kind, 0) for kind in _INDEX_ROWS),
        sends=run["sends"],
        events=run["events"],
        body_bytes=body_bytes,
    )
