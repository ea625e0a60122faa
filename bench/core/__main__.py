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

from bench.core.measure import CHANGES, ROUNDS, measure
from bench.harness.checks import print_checks, rounded


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.core", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of {CHANGES} changes each ({ROUNDS})")
    args = parser.parse_args(arguments)
    figures, checks = measure(args.rounds)
    if args.json:
        print(json.dumps(rounded({"figures": figures, "checks": [check.to_json() for check in checks]}), indent=2))
    else:
        where = f"Python {platform.python_version()}, {platform.machine()}, {datetime.now(UTC):%Y-%m-%d}"
        print_checks(f"The core alone, medians of {args.rounds} rounds; {where}", checks, wide=sys.stdout.isatty())
    return 0 if all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
