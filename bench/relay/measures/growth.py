"""Whether a change costs the same whatever else is stored: on stacks with few and many profiles, in turns.

Every round is of profiles that were not seen before. Times are compared with the growth of the same bare operations
in the same run, for Azurite is slower where there is more in its tables: by bare HTTP (`bench.relay.limit`), since the
SDK's client is so busy with itself that what the storage takes hardly shows.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TypeAlias

from bench.harness.checks import Check
from bench.harness.report import MeasuredPart
from bench.relay.filling import fill
from bench.relay.measures.operations import operations_per_change
from bench.relay.scene import COLD, DECK, Batch
from bench.relay.sizes import Sizes
from bench.relay.stacks import Run, Workers, operations_of, started_stack
from bench.relay.worker import APP, BARE_LIMIT
from shared.bootstrap import clock

Round: TypeAlias = dict[str, Run]
"""Of the app, of the same bare operations, and of the bare reads among them alone, each a few times."""

BARE, READS = "bare", "reads"
_BODY_BYTES = 1_650
_READS_EACH = 4  # once alone is over too soon to be timed
_COUNTS_EQUAL_WITHIN = 0.02
_MOST_GROWTH_OVER_BARE = 1.15


def measure_growth(sizes: Sizes, directory: Path) -> MeasuredPart:
    touched = DECK + sizes.growth_rounds * sizes.growth_changes
    rounds: dict[int, list[Round]] = {stored: [] for stored in sizes.stored}
    with ExitStack() as running:
        workers: dict[int, Workers] = {}
        for stored in sizes.stored:
            stack = running.enter_context(started_stack(directory / str(stored)))
            asyncio.run(fill(stack, touched, others=stored - touched))
            workers[stored] = running.enter_context(Workers(stack, (APP, BARE_LIMIT)))
            print(f"{stored:,} profiles are stored", file=sys.stderr, flush=True)
            _round(workers[stored], Batch(mix=COLD, first=0, changes=DECK, at=clock()))
        for number in range(sizes.growth_rounds):
            batch = Batch(
                mix=COLD, first=DECK + number * sizes.growth_changes, changes=sizes.growth_changes, at=clock()
            )
            for stored in sizes.stored:
                rounds[stored].append(_round(workers[stored], batch))
    return _part(rounds)


def _round(workers: Workers, batch: Batch) -> Round:
    own = workers.run(APP, batch)
    operations = operations_of(own, _BODY_BYTES)
    reads = replace(operations, reads=_READS_EACH * operations.reads, saves=0, index_rows=0, sends=0, events=0)
    return {
        APP: own,
        BARE: workers.run(BARE_LIMIT, batch, operations),
        READS: workers.run(BARE_LIMIT, batch, reads),
    }


def _part(rounds: dict[int, list[Round]]) -> MeasuredPart:
    checks = list(_checks(rounds))
    figures = {
        "table_requests_per_change": {str(stored): _requests(runs) for stored, runs in rounds.items()},
        "milliseconds_per_change": {
            str(stored): {who: median(_milliseconds(run, who) for run in runs) for who in (APP, BARE, READS)}
            for stored, runs in rounds.items()
        },
    }
    return MeasuredPart("growth", figures, checks, {str(stored): runs for stored, runs in rounds.items()})


def _checks(rounds: dict[int, list[Round]]) -> Iterator[Check]:
    fewest, *others = rounds
    for stored in others:
        compared = f"{stored:,} stored profiles over {fewest:,}"
        requests = [_requests(rounds[each]) for each in (stored, fewest)]
        yield Check(
            what=f"table requests a change, {compared}",
            value=requests[0] / requests[1],
            of=f"{requests[0]:.3f} and {requests[1]:.3f}",
            at_least=1 - _COUNTS_EQUAL_WITHIN,
            at_most=1 + _COUNTS_EQUAL_WITHIN,
        )
        own, bare, reads = (_growth(rounds, stored, fewest, who) for who in (APP, BARE, READS))
        yield Check(
            what=f"growth of the time over that of the same bare operations, {compared}",
            value=own / bare,
            of=f"app {own:.3f}, bare operations {bare:.3f}, bare reads alone {reads:.3f}",
            at_most=_MOST_GROWTH_OVER_BARE,
        )


def _growth(rounds: dict[int, list[Round]], many: int, few: int, who: str) -> float:
    """The median of what the two runs of a round, which were near each other in time, give."""
    pairs = zip(rounds[many], rounds[few], strict=True)
    return median(_milliseconds(one, who) / _milliseconds(other, who) for one, other in pairs)


def _milliseconds(runs: Round, who: str) -> float:
    """Of a change; of the reads alone, of one read of each."""
    times = _READS_EACH if who == READS else 1
    return float(1_000 * runs[who]["seconds"] / runs[APP]["events"] / times)


def _requests(runs: list[Round]) -> float:
    return median(operations_per_change(run[APP], run[APP]["events"])["tableRequests"] for run in runs)
