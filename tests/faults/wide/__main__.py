"""`python -m tests.faults.wide`: the load with a hundred destinations, then with ten that map the same audiences.

Prints both, writes them to .local/wide.json. Exits 1 if anything was left, failed, parked or unheard, or if an export
of a hundred destinations took too long beside one of ten.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.harness.report import headline
from local.errors import LocalError
from tests.faults.wide.load import WIDE
from tests.faults.wide.run import run

_RESULTS = Path(".local/wide.json")
_LOGS = Path(".local/wide")
_FEW = 10
_LEAST_RATIO = 0.6


def main(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    many = replace(WIDE, changes=args.changes, deadline=args.deadline)
    few = replace(many, destinations=_FEW, dataflows=_FEW)
    results = []
    for name, size in (("many", many), ("few", few)):
        try:
            results.append(asyncio.run(run(_LOGS / name, size)))
        except LocalError as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{name}: {results[-1].to_json()}", flush=True)
    ratio = results[0].exports_a_second / max(results[1].exports_a_second, 1e-9)
    heading = headline(" ".join(["python -m tests.faults.wide", *arguments]))
    compared = f"{many.destinations} destinations over {_FEW}: {ratio:.2f}, at least {_LEAST_RATIO}"
    print(f"{heading}\nexports a second, {compared}")
    document = {"how": heading, "runs": [each.to_json() for each in results], "ratio": round(ratio, 2)}
    _RESULTS.parent.mkdir(parents=True, exist_ok=True)
    _RESULTS.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    wrong = [each.wrong for each in results if each.wrong]
    for each in wrong:
        print(f"wrong: {each}", file=sys.stderr)
    return 1 if wrong or ratio < _LEAST_RATIO else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.wide",
        description="Send changes of profiles that nobody has seen to a hundred destinations, as fast as they come.",
    )
    parser.add_argument("--changes", type=int, default=WIDE.changes, help=f"each of its own profile ({WIDE.changes:,})")
    parser.add_argument(
        "--deadline", type=float, default=WIDE.deadline, help=f"seconds until a run counts as stuck ({WIDE.deadline:g})"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
