"""`python -m bench.backfill`: what a backfill takes, and what it costs live changes. Run it: make bench-backfill

Everything runs on this machine: Azurite in memory, the Event Hubs stand-in, the app's services as `shared.bootstrap`
builds them. Profiles have 20 attribute leaves, 3 identities and 10 memberships, each with its row in the member index.

- **Throughput.** One worker process, with BACKFILL_PER_SECOND out of its way, backfills 100,000 members of an audience,
  from the cut into slices to the end of the last slice. It shares the cores with the storage and the hub. Its members a
  second say how many such instances 1,000,000 members in an hour need, without the cap and with it.
- **Counts.** Requests are counted where they leave the process, retries included, and rows where the storage adapters
  hand them out: for each member of 100,000, of 10,000, and of 10,000 beside 100,000 profiles in other audiences. They
  must be equal within 2 %. What a backfill of nobody takes, the start and the end of its 16 slices, is left out, and
  so are checkpoints and looks at the configuration, which come with time ("in all" has them). The functions host's
  requests to its queue are not the app's.
- **Growth.** Time a member of 100,000 over that of 10,000. Azurite looks at all rows of a table for each page of a
  query, which Azure does not. (Release 0.1 held it against bare reads and sends of the same: docs/backfill.md.)
- **Live changes.** The functions host with its defaults and 40 % of the changes that it can take, without a backfill
  and with one that goes on all the time, in turns: from the message put on the queue to the time of its event in the
  hub. The 95th percentile may double. Changes and backfill are of the same profiles and go to the same hub. Here the
  index lists members in the backfilled audience alone: Azurite answers nobody while it looks through a table.

All runs take turns and medians are compared, so that whatever else the machine does is in all of them. Prints what came
of it, writes it with each run to bench/backfill.json, exits 1 if a bound does not hold.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.backfill.checks import check_growth, check_live
from bench.backfill.growth import Growth, measure_growth
from bench.backfill.live import measure_live
from bench.backfill.sizes import FULL, SHORT
from bench.harness.checks import print_checks, write_json
from bench.harness.report import headline
from local.errors import LocalError

_RESULTS = Path("bench/backfill.json")
_DIRECTORY = Path(".local/bench-backfill")
_SHORT_RESULTS = _DIRECTORY / "short.json"


def main(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    sizes, directory = (SHORT, _DIRECTORY / "short") if args.short else (FULL, _DIRECTORY / "full")
    heading = headline(" ".join(["python -m bench.backfill", *arguments]))
    began = time.monotonic()
    try:
        growth = measure_growth(sizes, directory)
        rate, live = measure_live(sizes, directory)
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    checks = [*check_growth(growth, sizes), *check_live(rate, live[::2], live[1::2], sizes)]
    document = {
        "how": heading,
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        "minutes": (time.monotonic() - began) / 60,
        "sizes": asdict(sizes),
        "checks": [check.to_json() for check in checks],
        **_figures(growth),
        "runs": {
            "backfillOfNobody": growth.of_nobody,
            "backfills": growth.backfills,
            "live": [asdict(run) for run in live],
        },
    }
    write_json(args.output or (_SHORT_RESULTS if args.short else _RESULTS), document)
    print_checks(heading, checks, wide=sys.stdout.isatty())
    return 0 if all(check.holds for check in checks) else 1


def _figures(growth: Growth) -> dict[str, Any]:
    """What a member takes, by table and operation."""
    return {
        f"{what}PerMember": {name: growth.kinds(name, what) for name in growth.backfills}
        for what in ("requests", "rows")
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.backfill", description="Measure what backfills take, and what they cost live changes."
    )
    parser.add_argument("--short", action="store_true", help="with few members, in a minute, for trying")
    parser.add_argument("--output", type=Path, help=f"where the results go ({_RESULTS}; with --short {_SHORT_RESULTS})")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
