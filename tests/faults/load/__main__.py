"""`python -m tests.faults.load`: play the scenarios, print a table and write it to .local/faults.json."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bench.harness.report import headline
from local.errors import LocalError
from tests.faults.load.report import print_outcomes, write_outcomes
from tests.faults.load.run import FULL_SIZE, SHORT_SIZE, run
from tests.faults.load.scenarios import SCENARIOS, SHORT

RESULTS = Path(".local/faults.json")


def main(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    usual = SHORT_SIZE if args.short else FULL_SIZE
    size = replace(
        usual,
        changes=args.changes or usual.changes,
        profiles=args.profiles or usual.profiles,
        deadline=args.deadline or usual.deadline,
    )
    names = args.scenario or list(SHORT if args.short else SCENARIOS)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.load",
        description="Send profile changes while parts break, then read the hubs back: nothing may be lost.",
    )
    parser.add_argument("--changes", type=int, help="distinct changes a scenario (20,000)")
    parser.add_argument("--profiles", type=int, help="profiles that they are of (2,000)")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="only this; may be repeated")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same changes (1)")
    parser.add_argument("--short", action="store_true", help=f"400 changes of 40 profiles: {', '.join(SHORT)}")
    parser.add_argument("--deadline", type=float, help="seconds until a scenario counts as stuck (900; short: 60)")
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
