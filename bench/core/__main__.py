"""What the core takes for a change, against parsing it and writing the body and nothing else. Run it: make bench-core

The core is what `ExportChanges` runs between two requests: decode the queue message, apply the change to the profile,
decide, write the exports' bodies, forget what is outdated. Bare JSON is `json.loads(change)` + `json.dumps(body)`, of
the same changes and of a body as large, whether or not the core has one to write. Both take turns; of their CPU time,
the median of the ratios of the rounds is what counts. Reading and writing a profile's stored row is timed beside it.
"""

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bench.core.measure import CHANGES, ROUNDS, measure


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.core", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of {CHANGES} changes each ({ROUNDS})")
    args = parser.parse_args(arguments)
    figures = measure(args.rounds)
    if args.json:
        print(json.dumps(figures, indent=2))
    else:
        print_table(figures)
    return 0 if all(goal["holds"] for goal in figures["goals"]) else 1


def print_table(figures: dict[str, Any]) -> None:
    where = f"Python {platform.python_version()}, {platform.machine()}, {datetime.now(UTC):%Y-%m-%d}"
    print(f"µs of CPU a change, medians of {figures['rounds']} rounds; {where}")
    for name, microseconds in figures["microseconds"].items():
        print(f"  {name:34} {microseconds:8.1f}")
    for goal in figures["goals"]:
        print(
            f"{goal['what']:36} {goal['value']:8.2f}   (at most {goal['at_most']}){'' if goal['holds'] else '  MISSED'}"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
