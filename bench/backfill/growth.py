"""Backfills of few and of many members, in turns by worker processes."""

import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.backfill.prepared_stack import People, prepared_stacks
from bench.backfill.sizes import Sizes
from bench.harness.people import MEMBERS, NOBODY, WARM_UP
from bench.harness.worker_process import WorkerProcess
from shared.domain.profile.memberships import AudienceKey

_WORKER = "bench.backfill.worker"
FEW, MANY, CROWDED = "few", "many", "few-among-outsiders"
_SETTINGS = {
    "CONFIG_CACHE_SECONDS": "30",  # as in Azure; the stack has 1
    "BACKFILL_PER_SECOND": "1000000",  # what a worker can do, not what it may
}

_COMES_WITH_TIME = ("Backfills", "Configuration", "DestinationHealth", "queue ")
"""Checkpoints, and looks at what there is to do: a machine twice as slow makes twice as many for as many members."""

Run = dict[str, Any]


def _people(sizes: Sizes) -> dict[str, People]:
    return {
        FEW: People(members=sizes.few),
        MANY: People(members=sizes.many),
        CROWDED: People(members=sizes.few, outsiders=sizes.outsiders),
    }


@dataclass
class Growth:
    """The runs by stack. `of_nobody` is a backfill without members: what the start and the end of its slices take."""

    of_nobody: Run
    backfills: dict[str, list[Run]]

    def milliseconds(self, name: str) -> float:
        """Of a member's time in a backfill, the median."""
        return _median(1_000 * run["seconds"] / run["members"] for run in self.backfills[name])

    def cpu_milliseconds(self, name: str) -> float:
        """Of the worker process, for a member."""
        return _median(1_000 * run["cpuSeconds"] / run["members"] for run in self.backfills[name])

    def counted(self, name: str, what: str) -> float:
        """`requests` or `rows` a member, without those that come with time or with a backfill of nobody; the median."""
        own = _for_members(self.of_nobody, what)
        return _median((_for_members(run, what) - own) / run["members"] for run in self.backfills[name])

    def counted_in_all(self, name: str, what: str) -> float:
        return _median(_total(run, what) / run["members"] for run in self.backfills[name])

    def kinds(self, name: str, what: str) -> dict[str, float]:
        """`requests` a member by table and operation, or `rows` by table."""
        runs = self.backfills[name]
        kinds = sorted({kind for run in runs for kind in run[what]})
        return {kind: median(run[what].get(kind, 0) / run["members"] for run in runs) for kind in kinds}


def measure_growth(sizes: Sizes, directory: Path) -> Growth:
    people = _people(sizes)
    with prepared_stacks(directory, people) as stacks, ExitStack() as running:
        workers = {
            name: running.enter_context(
                WorkerProcess(_WORKER, stack.settings | _SETTINGS, directory / name / "worker.log")
            )
            for name, stack in stacks.items()
        }
        with ThreadPoolExecutor() as warming_up:
            list(warming_up.map(lambda worker: _backfill(worker, WARM_UP), workers.values()))
        growth = Growth(_backfill(workers[FEW], NOBODY), {name: [] for name in people})
        for name in _turns(sizes.repetitions):
            run = _backfill(workers[name], MEMBERS)
            _tell(name, f"{run['members']:,} members backfilled in {run['seconds']:.1f} s")
            growth.backfills[name].append(_complete(run, people[name].members))
    return growth


def _backfill(worker: WorkerProcess, audience: AudienceKey) -> Run:
    """See `Instance.backfill`."""
    return worker.ask({"namespace": audience[0], "audience": audience[1]})


def _turns(repetitions: int) -> Iterable[str]:
    """Whatever else the machine does meanwhile, it does to all of them."""
    for _ in range(repetitions):
        yield from (FEW, CROWDED, MANY)
    yield FEW


def _complete(run: Run, members: int) -> Run:
    if not run["members"] == run["exported"] == members:
        raise RuntimeError(f"of {members:,} members only these were dealt with: {run}")
    return run


def _median(values: Iterable[float]) -> float:
    return median(values)


def _for_members(run: Run, what: str) -> int:
    return sum(number for kind, number in run[what].items() if not kind.startswith(_COMES_WITH_TIME))


def _total(run: Run, what: str) -> int:
    return sum(run[what].values())


def _tell(name: str, what: str) -> None:
    print(f"{name}: {what}", file=sys.stderr, flush=True)
