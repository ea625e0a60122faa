"""What a million changes cost at list prices, by mix and by changes a message. Run it: python -m bench.capacity.cost

Operations come from bench/results.json (python -m bench), prices from bench/prices.json.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.capacity.limits import INSTANCE_GIGABYTES, UNIT_BYTES, UNIT_EVENTS, USED
from bench.capacity.measured import RESULTS, Measured, MissingResultsError, read_results
from bench.harness.markdown import markdown_table

PRICES = Path("bench/prices.json")
MILLION = 1_000_000
_BILLED_EVENT_BYTES = 64 * 1024
TOTAL = "total"


def read_prices(file: Path = PRICES) -> dict[str, float]:
    """The price of one of each."""
    document = json.loads(file.read_text(encoding="utf-8"))
    return {name: price["value"] / price["per"] for name, price in document["prices"].items()}


def cost_per_million(
    operations: Mapping[str, float], changes_a_message: float, instance_seconds: float, prices: Mapping[str, float]
) -> dict[str, float]:
    """US dollars for a million changes, by what they are for, and their sum as `total`.

    `operations` are those of one change, as bench/results.json names them; `instance_seconds` is how long an instance
    is busy with one. Throughput units are counted as if they were used as far as a plan uses them, all the time.
    """
    events, event_bytes = operations["events"], operations["eventBytes"]
    billed_events = events * max(1, math.ceil(event_bytes / events / _BILLED_EVENT_BYTES)) if events else 0
    unit_seconds = max(events / UNIT_EVENTS, event_bytes / UNIT_BYTES) / USED
    costs = {
        "table requests": operations["tableRequests"] * prices["tableRequests"],
        "queue requests": operations["queueRequests"] * prices["queueRequests"],
        "hub, events": billed_events * prices["hubEvents"],
        "hub, throughput units": unit_seconds / 3600 * prices["throughputUnitHours"],
        "instances": instance_seconds * INSTANCE_GIGABYTES * prices["gigabyteSeconds"],
        "executions": prices["executions"] / changes_a_message,
    }
    costs = {what: cost * MILLION for what, cost in costs.items()}
    return costs | {TOTAL: sum(costs.values())}


def costs_of(measured: Measured, prices: Mapping[str, float]) -> dict[int, dict[str, float]]:
    """By changes a message."""
    return {
        size: cost_per_million(operations, size, measured.instance_seconds, prices)
        for size, operations in measured.operations.items()
    }


def cost_table(measured: Mapping[str, Measured], prices: Mapping[str, float]) -> str:
    """In Markdown: a row for each mix and number of changes a message."""
    rows = {
        f"{mix}, {size} a message": costs
        for mix, figures in measured.items()
        for size, costs in costs_of(figures, prices).items()
    }
    names = list(next(iter(rows.values())))
    return markdown_table(
        ["US dollars a million changes", *names],
        [[row, *(f"{costs[name]:.2f}" for name in names)] for row, costs in rows.items()],
    )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.capacity.cost", description=str(__doc__).partition(".")[0])
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"what python -m bench wrote ({RESULTS})")
    parser.add_argument("--json", action="store_true", help="as JSON")
    args = parser.parse_args(arguments)
    try:
        measured = read_results(args.results)
    except MissingResultsError as error:
        print(error, file=sys.stderr)
        return 1
    prices = read_prices()
    if args.json:
        document: dict[str, Any] = {mix: costs_of(figures, prices) for mix, figures in measured.items()}
        print(json.dumps(document, indent=2))
    else:
        print(cost_table(measured, prices))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
