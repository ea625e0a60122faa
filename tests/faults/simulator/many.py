"""Many seeds on several processes, and what they come to."""

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import count, islice
from multiprocessing import get_context

from tests.faults.simulator.recipe import Recipe
from tests.faults.simulator.run import Outcome, simulate

_SEEDS_AT_A_TIME = 10
_TOLD_EVERY = 5.0


@dataclass
class Summary:
    """`failed` by seed. `seconds` of real time, `virtual_seconds` of simulated."""

    runs: int = 0
    changes: int = 0
    exports: int = 0
    seconds: float = 0.0
    virtual_seconds: float = 0.0
    duplicates: Counter[str] = field(default_factory=Counter)
    failed: dict[int, list[str]] = field(default_factory=dict)

    @property
    def runs_a_minute(self) -> float:
        return 60 * self.runs / max(self.seconds, 1e-9)

    def add(self, outcome: Outcome) -> None:
        self.runs += 1
        self.changes += outcome.changes
        self.exports += outcome.exports
        self.virtual_seconds += outcome.seconds
        self.duplicates += outcome.duplicates
        if outcome.failures:
            self.failed[outcome.recipe.seed] = outcome.failures


def simulate_many(
    runs: int | None, first: int, minutes: float | None, workers: int, say: Callable[[str], None]
) -> Summary:
    """Play `runs` seeds from `first` on, or as many as there is time for."""
    summary, began = Summary(), time.monotonic()
    seeds = count(first) if runs is None else iter(range(first, first + runs))
    told = began
    # Not forked: what the parent has running is nothing to copy.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_prepare) as pool:
        playing: set[Future[list[Outcome]]] = set()
        while True:
            in_time = minutes is None or time.monotonic() - began < 60 * minutes
            while in_time and len(playing) < 2 * workers and (some := list(islice(seeds, _SEEDS_AT_A_TIME))):
                playing.add(pool.submit(_simulate_some, some))
            if not playing:
                break
            done, playing = wait(playing, return_when=FIRST_COMPLETED)
            for outcome in _outcomes(done):
                summary.add(outcome)
                if outcome.failures:
                    say(f"{outcome.recipe}: {outcome.failures[0]}")
            summary.seconds = time.monotonic() - began
            if time.monotonic() - told >= _TOLD_EVERY:
                told = time.monotonic()
                say(_progress(summary, runs))
    return summary


def _outcomes(done: set[Future[list[Outcome]]]) -> Iterator[Outcome]:
    for future in done:
        yield from future.result()


def _progress(summary: Summary, runs: int | None) -> str:
    of = f" of {runs:,}" if runs is not None else ""
    return f"{summary.runs:,}{of} runs, {summary.runs_a_minute:,.0f} a minute, {len(summary.failed)} failed"


def _prepare() -> None:
    """What was imported is there to stay: nobody has to look at it again at each collection."""
    gc.collect()
    gc.freeze()


def _simulate_some(seeds: list[int]) -> list[Outcome]:
    return [simulate(Recipe(seed)) for seed in seeds]
