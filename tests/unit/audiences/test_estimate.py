"""What a backfill will come to is told from counts, and from prices that are those of the measurements."""

from pathlib import Path

import pytest

from bench.capacity import limits
from bench.capacity.cost import read_prices
from shared.domain.audiences import prices
from shared.domain.audiences.counts import AudienceCount, Crossed
from shared.domain.audiences.estimate import BackfillEstimate, Pace, audiences_of, estimate
from shared.domain.configuration.model import (
    AudienceReference,
    Configuration,
    MappedAudience,
    parse_configuration_file,
)
from shared.domain.configuration.plan import plan_changes
from tests.kit.builders import NOW, destination
from tests.kit.world import World

NOW_MS = NOW // 1_000
A, B, C = (("ups", name) for name in "abc")
COUNTS = {
    A: AudienceCount(12_400, NOW, Crossed(NOW, 200, 80)),
    B: AudienceCount(1_000_000, NOW, Crossed(NOW)),
    C: AudienceCount(),
}


def estimated(*audiences: str, earlier: tuple[str, ...] = (), pace: Pace) -> BackfillEstimate:
    current = Configuration()
    for mapped in filter(None, (earlier, audiences)):
        file = {"destinations": [destination("d")], "dataflows": [{"id": "d", "audiences": list(mapped)}]}
        plan = plan_changes(current, parse_configuration_file(file), NOW_MS)
        current = plan.configuration
    (backfill,) = plan.backfills
    return estimate(backfill, plan.configuration, COUNTS, pace)


PACE = Pace(500.0, 800, measured=True)


def test_a_new_audience() -> None:
    found = estimated("a", pace=PACE)
    assert (found.events, found.throughput_units, found.seconds) == (12_520, 1, 25.04)
    assert (
        found.text == "up to 12,520 events, less than a minute at 500 a second, 1 throughput unit, less than 0.01 USD"
    )


def test_a_large_one_with_large_events() -> None:
    found = estimated("a", "b", earlier=("a",), pace=Pace(500.0, 5_000, measured=True))
    assert (found.audiences, found.events, found.throughput_units) == ((B,), 1_000_000, 3)
    hours = 2_000 / 3_600
    assert found.dollars == pytest.approx(0.028 + 3 * hours * 0.03 + 100 * 0.00036 + 2_000 * 2 * 0.000026)
    assert found.text == "up to 1,000,000 events, 33.3 min at 500 a second, 3 throughput units, 0.22 USD"


def test_an_event_of_more_than_64_kib_is_billed_as_several() -> None:
    small, large = (estimated("b", pace=Pace(500.0, size, measured=True)) for size in (65_536, 65_537))
    assert large.dollars - small.dollars == pytest.approx(0.028, rel=0.01)


def test_what_nobody_has_counted_is_said() -> None:
    found = estimated("a", "c", pace=PACE)
    assert (found.events, found.uncounted) == (12_520, (C,))
    assert found.text.endswith("USD; and the members of 1 audience, not counted yet")
    assert estimated("c", pace=PACE).text == "the members of 1 audience, not counted yet"


def test_after_a_pause_comes_what_changed_meanwhile() -> None:
    current = Configuration()
    for enabled, audiences in ((True, ["a"]), (False, ["a", "b"]), (True, ["a", "b"])):
        file = {"destinations": [destination("d")], "dataflows": [{"id": "d", "audiences": audiences}]}
        file["dataflows"][0] |= {"enabled": enabled}
        plan = plan_changes(current, parse_configuration_file(file), NOW_MS)
        current = plan.configuration
    (backfill,) = plan.backfills
    assert backfill.new == [AudienceReference(id="b")]
    assert audiences_of(backfill, plan.configuration) == (B,)
    found = estimate(backfill, plan.configuration, COUNTS, PACE)
    assert found.text.endswith("; and what changed during the pause")


def test_prices_and_limits_are_those_of_the_measurements() -> None:
    listed = read_prices(Path("bench/prices.json"))
    assert (listed["hubEvents"], listed["throughputUnitHours"]) == (prices.HUB_EVENT, prices.THROUGHPUT_UNIT_HOUR)
    assert (listed["tableRequests"], listed["gigabyteSeconds"]) == (prices.TABLE_REQUEST, prices.GIGABYTE_SECOND)
    assert (prices.UNIT_EVENTS, prices.UNIT_BYTES) == (limits.UNIT_EVENTS, limits.UNIT_BYTES)
    assert limits.INSTANCE_GIGABYTES == prices.INSTANCE_GIGABYTES


def test_a_mapping_is_planned_by_itself() -> None:
    """With a hundred destinations, whoever maps one does not wait until the others are planned, too."""
    begun = {"id": "b", "activeFrom": "2020-01-01T00:00:00Z"}
    before = {
        "destinations": [destination("d"), destination("e")],
        "dataflows": [{"id": "d", "audiences": ["a"]}, {"id": "e", "audiences": ["a", begun]}],
    }
    long_ago_ms = 1_500_000_000_000
    current = plan_changes(Configuration(), parse_configuration_file(before), long_ago_ms).configuration
    wanted = current.dataflow("d").model_copy(update={"audiences": [MappedAudience(id="b")]})
    plan = World().worker.estimate_backfills.plan(current, wanted)
    assert [each.destination for each in plan.backfills] == ["d"]
    assert plan.removals == ["removes the audience ups/a from what d's consumers read"]
    assert plan.configuration.dataflow("e") is current.dataflow("e")
