"""Plans for rates of changes, played through: instances, queues, accounts, throughput units, what it costs a month.

Made from bench/results.json (python -m bench), bench/prices.json and the platform's published limits. docs/scale.md
says how to read it. Run it: make capacity
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.capacity.cost import cost_table, read_prices
from bench.capacity.measured import RESULTS, Measured, MissingResultsError, read_results
from bench.capacity.plan import DATAFLOW_CHANGES, Plan, ceiling, plan_capacity
from bench.capacity.simulation import App, Simulated, at_share, simulate
from bench.harness.markdown import markdown_table

RATES = (1_000.0, 10_000.0, 100_000.0, 1_000_000.0)
SIZES = (10, 100)
SHARES = (0.25, 0.5, 0.8, 1.0, 1.4, 1.6, 1.8, 2.5)
PLAYED_SIZE = SIZES[-1]
PROFILES = 10_000_000
_MIX = "cold"
_PAGE = Path("docs/scale.md")
_BEGIN, _END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"


def main(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    try:
        measured = read_results(args.results)
        if args.mix not in measured:
            raise MissingResultsError(f"expected --mix to be one of those measured: {', '.join(measured)}")
        tables = "\n\n".join(_tables(measured, measured[args.mix], args.rate or RATES, args.profiles, args.seconds))
    except MissingResultsError as error:
        print(error, file=sys.stderr)
        return 1
    print(tables)
    if args.publish:
        publish(tables, _PAGE)
    return 0


def publish(tables: str, page: Path) -> None:
    """Put `tables` into `page`, between its two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    page.write_text(f"{before}{_BEGIN}\n{tables}\n\n{_END}{after}", encoding="utf-8")


def _tables(
    by_mix: Mapping[str, Measured], measured: Measured, rates: Sequence[float], profiles: int, seconds: float
) -> Iterator[str]:
    prices = read_prices()
    plans = [plan_capacity(rate, size, measured, prices, profiles) for size in SIZES for rate in rates]
    yield cost_table(by_mix, prices)
    yield plan_table(plans)
    yield "\n".join(
        f"One cell is full at {ceiling(measured, size):,.0f} changes/s of {size} a message." for size in SIZES
    )
    played = [each for each in plans if each.changes_a_message == PLAYED_SIZE]
    one = min(played, key=lambda each: abs(each.rate - DATAFLOW_CHANGES))
    app = App.of(one, measured)
    yield shares_table(one, [(share, simulate(at_share(app, share), seconds)) for share in SHARES])
    yield played_table([(each, *play(each, measured, seconds)) for each in played])


def play(planned: Plan, measured: Measured, seconds: float) -> tuple[Simulated, Simulated]:
    """One app of the plan with all its instances; and from one instance on, while the platform adds others."""
    app = App.of(planned, measured)
    return simulate(app, seconds), simulate(app, max(seconds, 600), warm_up=0, start=1)


def plan_table(plans: Sequence[Plan]) -> str:
    heads = (
        "changes/s, a message, cells, queues (apps), accounts, instances, dataflows, throughput units, namespaces, "
        "connections to each, $ a month, $ a million, But"
    )
    return markdown_table(
        heads.split(", "),
        [
            [
                *(f"{each.rate:,.0f}", str(each.changes_a_message), str(each.cells), str(each.queues)),
                *(str(each.accounts), f"{each.instances:,}", str(each.dataflows), f"{each.throughput_units:,}"),
                *(
                    str(each.namespaces),
                    f"{each.connections:,}",
                    f"{each.monthly:,.0f}",
                    f"{each.a_million:.2f}",
                    "; ".join(each.remarks),
                ),
            ]
            for each in plans
        ],
    )


def shares_table(planned: Plan, runs: Sequence[tuple[float, Simulated]]) -> str:
    return markdown_table(
        [f"share of {planned.rate:,.0f}/s", "p50", "p95", "p99", "messages waiting at the end", "Used most"],
        [
            [f"{share:.0%}", *_seconds(run), f"{run.waiting:,}", f"{run.bottleneck} {run.used[run.bottleneck]:.0%}"]
            for share, run in runs
        ],
    )


def played_table(runs: Sequence[tuple[Plan, Simulated, Simulated]]) -> str:
    return markdown_table(
        ["changes/s", "a message", "p50", "p95", "p99", "from one instance on: p50", "p95", "p99"],
        [
            [f"{planned.rate:,.0f}", str(planned.changes_a_message), *_seconds(steady), *_seconds(scaled)]
            for planned, steady, scaled in runs
        ],
    )


def _seconds(run: Simulated) -> list[str]:
    return [f"{run.percentile(share):.2f} s" for share in (0.5, 0.95, 0.99)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.capacity", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, action="append", help="changes a second; may be given more than once")
    parser.add_argument("--mix", default=_MIX, help=f"which of the measured mixes of changes ({_MIX})")
    parser.add_argument("--profiles", type=int, default=PROFILES, help=f"how many are stored ({PROFILES:,})")
    parser.add_argument("--seconds", type=float, default=20, help="how long a simulation runs after its warm-up (20)")
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"what python -m bench wrote ({RESULTS})")
    parser.add_argument("--publish", action="store_true", help=f"put the tables into {_PAGE}")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
