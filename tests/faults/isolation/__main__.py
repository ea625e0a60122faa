"""`python -m tests.faults.isolation`: what dead or stalled destinations cost the others.

Runs without and with the fault take turns, each on a new stack, so that a machine that gets slower meanwhile slows
both alike. Prints the medians, writes them with each run to .local/isolation.json, exits 1 if a bound does not hold.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast, get_args

from rich.console import Console
from rich.table import Table

from bench.harness.report import headline
from local.errors import LocalError
from tests.faults.isolation.load import Destinations
from tests.faults.isolation.results import Comparison, Run, compare
from tests.faults.isolation.run import Kind, calibrate, run

_RESULTS = Path(".local/isolation.json")
_LOGS = Path(".local/isolation")


def main(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    if args.short:
        args.seconds, args.runs = 15.0, 1
    heading = headline(" ".join(["python -m tests.faults.isolation", *arguments]))
    try:
        destinations = Destinations.of(args.destinations, args.broken)
        rate = args.rate or asyncio.run(calibrate(_LOGS / "calibration", destinations))
        _say(f"{rate:.0f} changes/s, each for {len(destinations.all)} destinations")
        runs = {kind: _alternating(destinations, kind, rate, args.seconds, args.runs) for kind in args.kinds}
    except (LocalError, ValueError) as error:
        _say(str(error))
        return 1
    comparisons = {kind: compare(runs[kind][::2], runs[kind][1::2]) for kind in args.kinds}
    what = f"{rate:.0f} changes/s, {args.seconds:g} s a run, medians of {args.runs}"
    for kind in args.kinds:
        _print(f"{heading}\n{what}: {destinations} {kind}", comparisons[kind], runs[kind])
    _write(heading, destinations, rate, args.seconds, runs, comparisons)
    return 0 if all(each.holds for compared in comparisons.values() for each in compared) else 1


def _alternating(destinations: Destinations, kind: Kind, rate: float, seconds: float, pairs: int) -> list[Run]:
    runs = []
    for number in range(2 * pairs):
        fault = kind if number % 2 else None
        runs.append(asyncio.run(run(_LOGS / f"{kind}-{number}", destinations, fault, rate, seconds)))
        _say(f"{fault or 'without a fault'}: {_summary(runs[-1])}")
    return runs


def _summary(one: Run) -> str:
    return (
        f"{one.early_rate:.0f} then {one.later_rate:.0f} events/s, latency p50 {one.p50:.2f} s, p95 {one.p95:.2f} s "
        f"({one.early_p95:.2f} s, then {one.later_p95:.2f} s); {one.changes:,} changes, {one.missing:,} events "
        f"missing, {one.duplicates:,} twice; undelivered rows {one.undelivered_rows or 'none'}, "
        f"exports stored instead of sent {one.undelivered_exports or 'none'}; load before {one.load_average:.1f}"
    )


def _print(heading: str, comparisons: Sequence[Comparison], runs: Sequence[Run]) -> None:
    out = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    out.print(f"\n{heading}", markup=False)
    table = Table("of the others", "without", "with", "ratio", "bound", "", box=None, header_style="bold")
    for each in comparisons:
        verdict = "" if not each.bound else "holds" if each.holds else "DOES NOT HOLD"
        figures = (f"{each.without:,.2f}", f"{each.with_fault:,.2f}", f"{each.ratio:.2f}")
        table.add_row(each.what, *figures, each.bound, verdict)
    out.print(table)
    for one in runs:
        out.print(f"{one.kind or 'without'}: {_summary(one)}", markup=False)


def _write(
    heading: str,
    destinations: Destinations,
    rate: float,
    seconds: float,
    runs: dict[Kind, list[Run]],
    comparisons: dict[Kind, list[Comparison]],
) -> None:
    document = {
        "how": heading,
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        "destinations": len(destinations.all),
        "broken": len(destinations.broken),
        "changesPerSecond": round(rate, 1),
        "seconds": seconds,
        "kinds": {
            kind: {
                "medians": [each.to_json() for each in comparisons[kind]],
                "runs": [one.to_json() for one in runs[kind]],
            }
            for kind in runs
        },
    }
    _RESULTS.parent.mkdir(parents=True, exist_ok=True)
    _RESULTS.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.isolation",
        description="Measure what dead or stalled destinations cost the others.",
    )
    parser.add_argument("--destinations", type=int, default=10, help="how many there are (10)")
    parser.add_argument("--broken", type=int, default=1, help="how many of them are dead or stalled (1)")
    parser.add_argument("--seconds", type=float, default=120.0, help="from the fault's start, a run (120)")
    parser.add_argument("--runs", type=int, default=3, help="without and with the fault, each (3)")
    parser.add_argument("--kinds", type=_kinds, default=get_args(Kind), help="of stalled,dead (both)")
    parser.add_argument("--rate", type=float, help="changes a second (found by a calibration)")
    parser.add_argument("--short", action="store_true", help="one run of 15 s each, for trying")
    return parser


def _kinds(text: str) -> tuple[Kind, ...]:
    kinds = tuple(text.split(","))
    if unknown := set(kinds) - set(get_args(Kind)):
        raise argparse.ArgumentTypeError(f"unknown kind {', '.join(unknown)}: expected of {', '.join(get_args(Kind))}")
    return cast(tuple[Kind, ...], kinds)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
