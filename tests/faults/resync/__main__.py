"""`python -m tests.faults.resync`: an audience counted, mapped and resynced by each scope, calmly and with kills.

Prints a line for each step, writes them to .local/resync.json. Exits 1 if anybody was missed, or anything was wrong.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bench.harness.report import headline
from local.errors import LocalError
from tests.faults.resync.report import StepResult, print_results, write_results
from tests.faults.resync.run import run
from tests.faults.resync.size import SHORT, Size

_RESULTS = Path(".local/resync.json")
_LOGS = Path(".local/resync")


def main(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    size = SHORT if args.short else Size.of(args.members, args.rate, args.kills, args.per_second)
    if args.step:
        size = replace(size, steps=tuple(each for each in size.steps if each[0] in args.step))
    results: list[StepResult] = []
    complete = False
    try:
        asyncio.run(run(_LOGS, size, args.seed, _say, results))
        complete = True
    except KeyboardInterrupt:
        _say("not complete: it was interrupted")
    except LocalError as error:
        _say(f"not complete: {error}")
    command = " ".join(["python -m tests.faults.resync", *arguments])
    heading = f"{headline(command)}\n{size.members:,} members, {size.rate:g} changes/s, seed {args.seed}"
    print_results(Console(width=None if sys.stdout.isatty() else 160, highlight=False), heading, results)
    write_results(_RESULTS, heading, results)
    return 0 if complete and not any(each.wrong for each in results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.resync",
        description="Count, map and resync an audience while changes flow, calmly and with hosts that die; "
        "nobody of a scope may be missed, nobody else may come, and nobody twice but by a kill.",
    )
    parser.add_argument("--members", type=int, default=100_000, help="of the audience; a quarter more are in others")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same changes (1)")
    parser.add_argument("--rate", type=float, default=5.0, help="changes a second all the while (5)")
    parser.add_argument("--kills", type=int, default=5, help="of hosts in each step with kills (5)")
    parser.add_argument("--per-second", type=float, default=2_000.0, help="BACKFILL_PER_SECOND of a host (2,000)")
    parser.add_argument("--step", action="append", metavar="NAME", help='only "map", "everything" …; may be repeated')
    parser.add_argument("--short", action="store_true", help="240 members and fewer steps: about a minute")
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
