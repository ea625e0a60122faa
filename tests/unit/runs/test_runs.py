"""Counts add up however they are cut, and quantiles are near the true ones."""

import json
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.instants import DAY, MILLISECOND, MINUTE, SECOND
from shared.domain.runs import BOUNDS, SLOT, Histogram, RunCounts, RunSlot, in_steps, total_of
from shared.domain.shadow_counts import ExportCounts, ShadowCounts
from tests.kit.builders import START

DURATIONS = st.integers(min_value=-SECOND, max_value=20 * DAY)
NUMBERS = st.integers(min_value=0, max_value=10**9)
REASONS = st.dictionaries(st.sampled_from(["audience", "attribute", "audience,identity"]), st.integers(1, 9)).map(
    Counter
)


def histogram(durations: list[int]) -> Histogram:
    filled = Histogram()
    for duration in durations:
        filled.add(duration)
    return filled


COMPARED = st.builds(ShadowCounts, *[st.builds(ExportCounts, REASONS, NUMBERS)] * 2, NUMBERS, NUMBERS)
HISTOGRAMS = st.lists(DURATIONS, max_size=20).map(histogram)
COUNTS = st.builds(
    RunCounts,
    NUMBERS,
    *[REASONS] * 3,
    *[NUMBERS] * 6,
    *[HISTOGRAMS] * 2,
    shadows=st.dictionaries(NUMBERS, COMPARED, max_size=2),
)


@given(st.lists(st.integers(10 * MILLISECOND + 1, 10 * DAY), min_size=1), st.sampled_from([0.01, 0.5, 0.9, 0.95, 1.0]))
def test_a_quantile_is_off_by_a_bucket_at_most(durations: list[int], share: float) -> None:
    true = sorted(durations)[max(0, math.ceil(share * len(durations)) - 1)]
    estimate = histogram(durations).quantile(share)
    assert estimate is not None
    assert true / 1.4143 <= estimate <= true * 1.4143


def test_quantiles_are_interpolated() -> None:
    """A hundred durations in one bucket: its middle is the median, whatever they are exactly."""
    lower, upper = BOUNDS[10:12]
    filled = histogram([upper] * 100)
    assert filled.quantile(0.5) == pytest.approx((lower + upper) / 2, abs=1)
    assert (filled.quantile(1.0), filled.count, filled.total) == (upper, 100, 100 * upper)


def test_the_ends_of_a_histogram() -> None:
    assert Histogram().quantile(0.5) is None
    assert histogram([-5, 0]).quantile(1.0) == BOUNDS[0] == 10 * MILLISECOND
    assert histogram([-5]).total == 0
    assert 10 * DAY < BOUNDS[-1] < 11 * DAY
    assert histogram([100 * DAY]).quantile(0.01) == BOUNDS[-1]


@given(COUNTS, COUNTS, COUNTS)
def test_adding_up_in_any_order_gives_the_same(one: RunCounts, two: RunCounts, three: RunCounts) -> None:
    totals = [total_of(RunSlot(0, each) for each in order) for order in ([one, two, three], [three, one, two])]
    assert totals[0] == totals[1]
    assert totals[0].received == one.received + two.received + three.received
    assert totals[0].activated == one.activated + two.activated + three.activated
    assert totals[0].latency.count == one.latency.count + two.latency.count + three.latency.count


@given(COUNTS)
def test_counts_survive_storage(counts: RunCounts) -> None:
    assert RunCounts.from_document(json.loads(json.dumps(counts.to_document()))) == counts


def test_the_largest_row_is_small() -> None:
    """A string of a table's row holds 32 Ki characters."""
    counts = RunCounts(bytes_sent=10**15)
    counts.excluded.update({f"a reason as long as they get, number {number}": 10**9 for number in range(30)})
    counts.latency.buckets = [10**9] * len(counts.latency.buckets)
    counts.freshness = counts.latency
    assert len(json.dumps(counts.to_document())) < 8_000
    assert RunCounts().to_document() == {}


def test_steps_begin_at_multiples_and_empty_ones_are_there() -> None:
    hour = 60 * MINUTE
    counted = [RunSlot(START + minute * MINUTE, RunCounts(received=1)) for minute in (-10, 0, 0, 50, 60, 130, 180)]
    slots = in_steps(counted, START + 5 * MINUTE, START + 125 * MINUTE, hour)
    assert [(slot.start - START, slot.counts.received) for slot in slots] == [(0, 3), (hour, 1), (2 * hour, 1)]
    assert in_steps(counted, START, START, hour) == []


@pytest.mark.parametrize("step", [0, -SLOT, SLOT + 1, MINUTE])
def test_a_step_is_whole_slots(step: int) -> None:
    with pytest.raises(ValueError, match="whole slots"):
        in_steps([], START, START + DAY, step)
