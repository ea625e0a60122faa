"""`python -m bench`: what the way of a change takes on the local stack. Run it: make bench. docs/bench.md explains it.

Prints what came of it and writes it to bench/results.json, part by part, beside what is there of other parts; in full
it puts the tables into docs/bench.md, too. Exits 0 also where a goal is not met: the tables say so.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.core.measure import measure
from bench.harness.checks import Check, print_checks
from bench.harness.report import MeasuredPart, environment, headline, publish, write_part
from bench.relay.against import Against, measure_against
from bench.relay.measures.growth import measure_growth
from bench.relay.measures.latency import measure_latency
from bench.relay.measures.memory import measure_memory
from bench.relay.measures.operations import measure_operations
from bench.relay.measures.speed import measure_speed
from bench.relay.real_host.hosts import measure_hosts
from bench.relay.real_host.kills import measure_kills
from bench.relay.sizes import FULL, SHORT, Sizes
from local.errors import LocalError


def measure_core(sizes: Sizes, _: Path) -> MeasuredPart:
    return MeasuredPart("core", *measure(sizes.core_rounds))


PARTS: Mapping[str, Callable[[Sizes, Path], MeasuredPart]] = {
    "speed": measure_speed,
    "operations": measure_operations,
    "latency": measure_latency,
    "growth": measure_growth,
    "core": measure_core,
    "memory": measure_memory,
    "hosts": measure_hosts,
    "kills": measure_kills,
}
LONG = frozenset({"memory", "hosts", "kills"})
"""Parts that run only when they are named."""
NEVER_SHORT = frozenset({"hosts", "kills"})
"""They wait for hosts to start and for leases to end, however little is measured."""
_RESULTS = Path("bench/results.json")
_PAGE = Path("docs/bench.md")
_DIRECTORY = Path(".local/bench")


def main(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    sizes = SHORT if args.short else FULL
    directory = _DIRECTORY / ("short" if args.short else "full")
    file = args.output or (directory / "results.json" if args.short else _RESULTS)
    where = environment()
    checks: list[Check] = []
    parts = PARTS
    if args.against is not None:
        against = Against(revision=args.against, tls=args.tls)
        parts = {"against": lambda sizes, directory: measure_against(sizes, directory, against)}
    for name in args.only or [each for each in parts if each not in (NEVER_SHORT if args.short else LONG)]:
        began = time.monotonic()
        try:
            part = parts[name](sizes, directory / name)
        except LocalError as error:
            print(error, file=sys.stderr)
            return 1
        results = write_part(file, part, where, (time.monotonic() - began) / 60)
        checks += part.checks
        if file == _RESULTS:
            publish(results, _PAGE)
    print_checks(headline(" ".join(["python -m bench", *arguments])), checks, wide=sys.stdout.isatty())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure what the way of a change takes on the local stack."
    )
    parser.add_argument("--short", action="store_true", help="a little of every part, in a minute, for trying")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--only",
        action="append",
        choices=PARTS,
        help=f"a part; more than one may be named (all but {', '.join(sorted(LONG))})",
    )
    what.add_argument("--against", metavar="REV", help="this build beside that of a revision, and nothing else")
    parser.add_argument("--tls", action="store_true", help="with --against: the tables are reached over TLS")
    parser.add_argument("--output", type=Path, help=f"where the results go ({_RESULTS}, not with --short)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
