"""`python -m tests.faults.simulator`: play seeds, or show one of them from its first event to its last."""

import argparse
import os
import sys
from collections.abc import Sequence

from tests.faults.simulator.many import Summary, simulate_many
from tests.faults.simulator.recipe import Recipe, plan
from tests.faults.simulator.run import simulate
from tests.faults.simulator.shrink import shrunk
from tests.faults.simulator.trace import Trace

_RUNS = 1_000
_SHRUNK = 5
_SHOWN_FAILURES = 5


def main(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    if args.seed is not None:
        return _show(Recipe(args.seed, args.only, args.luck))
    runs = args.runs if args.runs or args.minutes else _RUNS
    summary = simulate_many(runs, args.first, args.minutes, args.workers, _say)
    _tell(summary)
    for seed in sorted(summary.failed)[:_SHRUNK]:
        _tell_short(seed)
    return 1 if summary.failed else 0


def _show(recipe: Recipe) -> int:
    """Exit code 1 if it fails."""
    played, trace = plan(recipe), Trace(kept=True)
    outcome = simulate(recipe, trace)
    changes, workers, late = len(played.changes.all), len(played.clocks), f"{played.late:.0%}"
    print(f"{recipe}: {changes} changes, {workers} workers, {late} of requests and sends late at any time")
    print(*map(str, played.faults), sep="\n")
    print(*trace.lines(), sep="\n")
    again = outcome.duplicates.total()
    print(f"{outcome.exports} exports, {again} of them again, {outcome.seconds:.0f} s of virtual time")
    print(*outcome.failures or ["nothing is wrong"], sep="\n")
    return 1 if outcome.failures else 0


def _tell(summary: Summary) -> None:
    print(
        f"{summary.runs:,} runs in {summary.seconds:.0f} s ({summary.runs_a_minute:,.0f} a minute), "
        f"{summary.virtual_seconds / 3_600:,.0f} hours of virtual time: {summary.changes:,} changes, "
        f"{summary.exports:,} exports, {len(summary.failed)} runs failed"
    )
    for cause, number in summary.duplicates.most_common():
        print(f"  {10_000 * number / max(1, summary.exports):7.1f} of 10,000 exports came again: {cause}")


def _tell_short(seed: int) -> None:
    """How a seed that failed is seen again, with as little as it takes."""
    recipe = shrunk(Recipe(seed, tuple(plan(Recipe(seed)).names)), lambda recipe: simulate(recipe).failures)
    print(f"\nseed {seed} fails: python -m tests.faults.simulator {recipe}")
    print(*(f"  {failure}" for failure in simulate(recipe).failures[:_SHOWN_FAILURES]), sep="\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.simulator",
        description="Play the app's services on simulated tables, queues and hubs, with whatever a seed lets go wrong.",
    )
    parser.add_argument(
        "--runs", type=int, help=f"how many seeds ({_RUNS:,}; with --minutes as many as there is time for)"
    )
    parser.add_argument("--first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--minutes", type=float, help="begin no more of them after so many minutes")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (one for each CPU)")
    parser.add_argument("--seed", type=int, help="only this seed, with all that happens in it")
    parser.add_argument("--luck", type=int, default=0, help="with --seed: meet other delays, as a short recipe may (0)")
    parser.add_argument(
        "--only",
        type=lambda text: tuple(text.split(",")),
        help="with --seed: only these parts of its plan, with commas between",
    )
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
