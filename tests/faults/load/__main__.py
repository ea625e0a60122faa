"""`python -m tests.faults.load`: play the scenarios, print a table and write it to .local/faults.json."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from rich.console import Console

from bench.harness.report import headline
from local.errors import LocalError
from tests.faults.load.report import Outcome, print_outcomes, write_outcomes
from tests.faults.load.run import FULL_SIZE, SHORT_SIZE, Size, run
from tests.faults.load.scenarios import SCENARIOS, SHORT
from tests.faults.load.seeds import SeededResults, Turn, shrunk

RESULTS = Path(".local/faults.json")
LONG_RESULTS = Path(".local/faults-long.json")
_SHOWN = 5


def main(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    usual = SHORT_SIZE if args.short else FULL_SIZE
    size = replace(
        usual,
        changes=args.changes or usual.changes,
        profiles=args.profiles or usual.profiles,
        kills=usual.kills if args.kills is None else args.kills,
        deadline=args.deadline or usual.deadline,
    )
    names = args.scenario or list(SHORT if args.short else SCENARIOS)
    if args.seeds is not None or args.minutes is not None:
        return _by_seeds(names, size, args)
    outcomes = []
    for name in names:
        directory = Path(".local") / "faults" / name.replace(" ", "-")
        try:
            outcomes.append(asyncio.run(run(SCENARIOS[name], size, args.seed, directory, _say)))
        except LocalError as error:
            _say(f"{name}: {error}")
            return 1
        _say(str(outcomes[-1].result.to_json()))
    out = Console(width=None if sys.stdout.isatty() else 220, highlight=False)
    command = " ".join(["python -m tests.faults.load", *arguments])
    what = f"{size.changes:,} changes of {size.profiles:,} profiles, seed {args.seed}"
    print_outcomes(out, outcomes, f"{headline(command)}\n{what}")
    write_outcomes(RESULTS, outcomes)
    return 1 if any(outcome.failures for outcome in outcomes) else 0


def _by_seeds(names: Sequence[str], size: Size, args: argparse.Namespace) -> int:
    """Every scenario with every seed, as long as there is time; what fails is told with a command that takes less."""
    results, began = SeededResults(args.results, size), time.monotonic()
    seeds = count(args.seed) if args.seeds is None else range(args.seed, args.seed + args.seeds)
    failed = False
    for turn in results.left(names, seeds):
        if args.minutes is not None and time.monotonic() - began >= 60 * args.minutes:
            break
        outcome = _play(turn, size)
        results.add(turn, outcome)
        _say(f"seed {turn.seed}: {outcome.result.to_json()}")
        for line in (*outcome.notes, *outcome.failures[:_SHOWN]):
            _say(f"seed {turn.seed}, {turn.scenario}: {line}")
        if outcome.failures:
            failed = True
            _say(f"seen again by: {_command(turn, shrunk(turn, size, _play))}")
    document = results.document()
    print(json.dumps({name: value for name, value in document.items() if name != "runs"}, indent=2))
    return 1 if failed or document["totals"]["failed"] else 0


def _play(turn: Turn, size: Size) -> Outcome:
    directory = Path(".local") / "faults" / f"{turn.scenario.replace(' ', '-')}-{turn.seed}"
    return asyncio.run(run(SCENARIOS[turn.scenario], size, turn.seed, directory, _say))


def _command(turn: Turn, size: Size) -> str:
    sizes = f"--changes {size.changes} --profiles {size.profiles} --kills {size.kills}"
    return f'python -m tests.faults.load --scenario "{turn.scenario}" --seed {turn.seed} {sizes}'


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.load",
        description="Send profile changes while parts break, then read the hubs back: nothing may be lost.",
    )
    parser.add_argument("--changes", type=int, help="distinct changes a scenario (20,000)")
    parser.add_argument("--profiles", type=int, help="profiles that they are of (2,000)")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="only this; may be repeated")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same changes (1)")
    parser.add_argument("--seeds", type=int, help="play so many seeds from --seed on, and go on where that ended")
    parser.add_argument("--minutes", type=float, help="the same for so long; begin no more scenarios after that")
    parser.add_argument("--results", type=Path, default=LONG_RESULTS, help=f"where they are added up ({LONG_RESULTS})")
    parser.add_argument("--kills", type=int, help="how often hosts die, where they do (6; short: 3)")
    parser.add_argument("--short", action="store_true", help=f"400 changes of 40 profiles: {', '.join(SHORT)}")
    parser.add_argument("--deadline", type=float, help="seconds until a scenario counts as stuck (900; short: 60)")
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
