"""From runs to what must hold."""

import math
from collections.abc import Sequence
from statistics import median

from bench.backfill.growth import CROWDED, FEW, MANY, Growth
from bench.backfill.live import LiveRun
from bench.backfill.sizes import (
    COUNTS_EQUAL_WITHIN,
    MILLION,
    SECONDS_FOR_A_MILLION,
    Sizes,
)
from bench.harness.checks import Check
from shared.settings import Settings


def check_growth(growth: Growth, sizes: Sizes) -> list[Check]:
    return [*_throughput(growth), *_counts(growth, sizes), *_times(growth, sizes)]


def _throughput(growth: Growth) -> list[Check]:
    rate = 1_000 / growth.milliseconds(MANY)
    cap = Settings.from_environment({}).backfill_per_second
    needed = MILLION / SECONDS_FOR_A_MILLION
    return [
        Check(
            what="members/s of one instance, without a cap",
            value=rate,
            of=f"{growth.milliseconds(MANY):.3f} ms a member, {growth.cpu_milliseconds(MANY):.3f} ms of them its CPU",
        ),
        Check(
            what="instances for 1,000,000 members in an hour, without a cap",
            value=math.ceil(needed / rate),
            of=f"{needed:.0f} members/s",
        ),
        Check(
            what=f"the same with BACKFILL_PER_SECOND={cap:g}, the default",
            value=math.ceil(needed / min(rate, cap)),
            of=f"{min(rate, cap):.0f} members/s an instance",
        ),
    ]


def _counts(growth: Growth, sizes: Sizes) -> list[Check]:
    few, many = f"{sizes.few:,}", f"{sizes.many:,}"
    comparisons = {
        MANY: f"{many} members over {few}",
        CROWDED: f"{few} members, with {sizes.outsiders:,} non-members over without",
    }
    return [
        Check(
            what=f"{'rows read' if what == 'rows' else what} a member, {compared}",
            value=growth.counted(name, what) / growth.counted(FEW, what),
            of=f"{growth.counted(name, what):.4f} and {growth.counted(FEW, what):.4f} "
            f"({growth.counted_in_all(name, what):.4f} and {growth.counted_in_all(FEW, what):.4f} in all)",
            at_least=1 - COUNTS_EQUAL_WITHIN,
            at_most=1 + COUNTS_EQUAL_WITHIN,
        )
        for name, compared in comparisons.items()
        for what in ("requests", "rows")
    ]


def _times(growth: Growth, sizes: Sizes) -> list[Check]:
    few, many = growth.milliseconds(FEW), growth.milliseconds(MANY)
    return [
        Check(
            what=f"time a member, {sizes.many:,} members over {sizes.few:,}",
            value=many / few,
            of=f"{many:.3f} ms and {few:.3f} ms",
        )
    ]


def check_live(rate: float, without: Sequence[LiveRun], with_backfill: Sequence[LiveRun], sizes: Sizes) -> list[Check]:
    def ratio(figure: str) -> tuple[float, str]:
        before, beside = (median(getattr(run, figure) for run in runs) for runs in (without, with_backfill))
        return beside / before, f"{beside:.3f} s and {before:.3f} s"

    backfilled = median(run.backfilled_per_second or 0 for run in with_backfill)
    p50, of_p50 = ratio("p50")
    p95, of_p95 = ratio("p95")
    return [
        Check(what="live changes/s", value=rate, of="40 % of the rate that empties a deep queue"),
        Check(what="members/s of the backfill beside them", value=backfilled),
        Check(what="latency p50 of live changes, with a backfill over without", value=p50, of=of_p50),
        Check(
            what="latency p95 of live changes, with a backfill over without",
            value=p95,
            of=of_p95,
            at_most=sizes.most_p95_ratio,
        ),
    ]
