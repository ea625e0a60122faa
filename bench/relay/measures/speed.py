"""The app against the tutorials and against the limit, in turns: changes a second, and CPU of the process for each."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TypeAlias

from bench.harness.checks import Check
from bench.harness.report import MeasuredPart
from bench.relay import app, tutorial
from bench.relay.filling import fill
from bench.relay.limit import Operations
from bench.relay.measures.comparing import require_same
from bench.relay.scene import CHANGES_A_PROFILE, COLD, PUBLISHED, Batch
from bench.relay.sizes import Sizes
from bench.relay.stacks import Run, Workers, operations_of, started_stack
from bench.relay.worker import APP, BARE_LIMIT, SDK_LIMIT, TUTORIAL
from shared.bootstrap import clock

Round: TypeAlias = dict[str, Run]
"""What each of those who are compared made of the same batch."""

_NAMES = {COLD: "cold", PUBLISHED: "mix"}
_LEAST_SPEEDUP = {COLD: 2.5, PUBLISHED: 5.0}
_MOST_CPU = {COLD: 0.5, PUBLISHED: 0.25}
_LEAST_SHARE = 0.7
_TURNS = ((APP, SDK_LIMIT, TUTORIAL, BARE_LIMIT), (TUTORIAL, APP, BARE_LIMIT, SDK_LIMIT))
_GUESSED_BODY = 1_500


def measure_speed(sizes: Sizes, directory: Path) -> MeasuredPart:
    rounds: dict[str, list[Round]] = {}
    with started_stack(directory) as stack:
        profiles = sum((sizes.rounds + 1) * sizes.changes // each for each in CHANGES_A_PROFILE.values())
        asyncio.run(fill(stack, profiles, for_tutorial=True))
        with Workers(stack, (APP, TUTORIAL, SDK_LIMIT, BARE_LIMIT)) as workers:
            first = 0
            for mix in CHANGES_A_PROFILE:
                measuring = _Rounds(workers, Batch(mix=mix, first=first, changes=sizes.changes, at=clock()))
                rounds[mix] = [measuring.next() for _ in range(sizes.rounds + 1)][1:]
                first = measuring.batch.first
        compared = asyncio.run(require_same(stack, (app.HUB, tutorial.HUB)))
    return _part(rounds, compared)


class _Rounds:
    """One after the other, each on profiles of its own; `batch` is that of the next one."""

    def __init__(self, workers: Workers, batch: Batch) -> None:
        self._workers = workers
        self.batch = batch
        self._number = 0
        self._event_overhead: float | None = None

    def next(self) -> Round:
        batch, self.batch = self.batch, replace(self.batch, first=self.batch.profiles.stop, at=clock())
        runs: Round = {}
        for who in _TURNS[self._number % 2]:
            limited = who in (SDK_LIMIT, BARE_LIMIT)
            operations = self._operations_of(runs[APP]) if limited else None
            runs[who] = self._workers.run(who, batch, operations)
            if operations is not None and self._event_overhead is None:
                self._event_overhead = runs[who]["eventBytes"] / operations.events - operations.body_bytes
        self._number += 1
        rates = ", ".join(f"{who} {batch.changes / run['seconds']:,.0f}" for who, run in sorted(runs.items()))
        print(f"{batch.mix}: {rates} changes/s", file=sys.stderr, flush=True)
        return runs

    def _operations_of(self, run: Run) -> Operations:
        """Of the app's `run`. How many bytes come to a body in an event shows the first run of the limit."""
        if self._event_overhead is None:
            return operations_of(run, _GUESSED_BODY)
        return operations_of(run, round(run["eventBytes"] / run["events"] - self._event_overhead))


def _part(rounds: dict[str, list[Round]], compared: int) -> MeasuredPart:
    checks = {name: check for mix in rounds for name, check in _checks(mix, rounds[mix])}
    figures = {name: check.value for name, check in checks.items()}
    return MeasuredPart("speed", figures | {"profiles_compared": compared}, list(checks.values()), rounds)


def _checks(mix: str, runs: list[Round]) -> Iterator[tuple[str, Check]]:
    """By the name of the figure."""

    def faster_than(other: str) -> float:
        return float(median(run[other]["seconds"] / run[APP]["seconds"] for run in runs))

    def rates(other: str, name: str) -> str:
        own, others = (median(run[APP]["events"] / run[who]["seconds"] for run in runs) for who in (APP, other))
        return f"{own:,.0f} and {others:,.0f} changes/s of the {name}; medians of {len(runs)} rounds"

    yield (
        f"speedup_{_NAMES[mix]}",
        Check(
            what=f"{mix}: changes/s over those of the tutorials",
            value=faster_than(TUTORIAL),
            of=rates(TUTORIAL, "tutorials"),
            at_least=_LEAST_SPEEDUP[mix],
        ),
    )
    own, others = (median(1e6 * run[who]["cpuSeconds"] / run[APP]["events"] for run in runs) for who in (APP, TUTORIAL))
    yield (
        f"cpu_ratio_{_NAMES[mix]}",
        Check(
            what=f"{mix}: the client's CPU a change over that of the tutorials",
            value=median(run[APP]["cpuSeconds"] / run[TUTORIAL]["cpuSeconds"] for run in runs),
            of=f"{own:,.0f} and {others:,.0f} µs",
            at_most=_MOST_CPU[mix],
        ),
    )
    yield (
        f"share_of_limit_{_NAMES[mix]}",
        Check(
            what=f"{mix}: share of the limit, the same operations by tuned SDK clients",
            value=faster_than(SDK_LIMIT),
            of=rates(SDK_LIMIT, "limit"),
            at_least=_LEAST_SHARE,
        ),
    )
    yield (
        f"share_of_bare_{_NAMES[mix]}",
        Check(
            what=f"{mix}: share of what bare HTTP does",
            value=faster_than(BARE_LIMIT),
            of=rates(BARE_LIMIT, "same operations by bare HTTP"),
        ),
    )
