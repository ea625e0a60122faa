"""Plans by hand, and simulations that saturate where the arithmetic says."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.capacity.__main__ import main, publish
from bench.capacity.cost import read_prices
from bench.capacity.limits import SECONDS_BETWEEN_SCALING
from bench.capacity.measured import Measured
from bench.capacity.plan import MONTH_SECONDS, Plan, ceiling, plan_capacity
from bench.capacity.simulation import BATCH_SIZE, COLD_START, IN_HAND, NEW_BATCH_THRESHOLD, App, at_share, simulate
from tests.kit.environments import CHECKOUT
from tests.unit.bench.test_bench_cost import RESULTS

OPERATIONS = {
    "tableRequests": 2.25,
    "profileRequests": 2.0,
    "queueRequests": 0.3,
    "events": 1.0,
    "eventBytes": 2_000.0,
}
MEASURED = Measured({10: OPERATIONS, 100: OPERATIONS | {"queueRequests": 0.03}}, cpu_seconds=0.00042)
FREE = dict.fromkeys(read_prices(), 0.0)


def planned(rate: float, changes_a_message: int = 100, measured: Measured = MEASURED) -> Plan:
    return plan_capacity(rate, changes_a_message, measured, FREE)


def test_a_small_rate_has_everything_in_one_account_and_one_queue() -> None:
    small = planned(1_000)
    assert (small.cells, small.queues, small.accounts, small.instances) == (1, 1, 1, 1)
    assert (small.throughput_units, small.namespaces, small.remarks) == (4, 1, ())


def test_ten_thousand_a_second_by_hand() -> None:
    """20,000 requests a second to profiles over 12,000; 10,000 times 0.42 ms / 0.7 / 0.6; 20 MB/s over 0.6 MB/s."""
    one = planned(10_000)
    assert (one.cells, one.queues, one.profile_accounts, one.queue_accounts, one.accounts) == (1, 1, 2, 1, 4)
    assert (one.instances, one.dataflows, one.throughput_units, one.namespaces) == (10, 1, 34, 1)
    assert one.remarks == ("34 units for one hub, of which its 32 partitions can use 32",)


def test_smaller_messages_need_more_queues() -> None:
    assert [planned(48_000, size).queues for size in (10, 100)] == [4, 1]
    assert "several function apps on the same tables" in planned(48_000, 10).remarks


def test_a_million_a_second_is_cells_side_by_side_and_more_quota() -> None:
    huge = planned(1_000_000)
    assert huge.cells == 21  # 250,000 requests a second over 12,000
    assert huge.queues == huge.cells
    assert huge.instances == 1_000
    assert (huge.dataflows, huge.throughput_units, huge.namespaces) == (100, 3_400, 85)
    assert "21 cells, upstream chooses by profile" in huge.remarks
    assert any("quota" in remark for remark in huge.remarks)


def test_connections_to_a_namespace_are_those_of_all_instances_to_each_of_its_hubs() -> None:
    """Four lanes, and one to read the partitions; 10 hubs in 9 namespaces are two in one of them."""
    assert planned(10_000).connections == 10 * 1 * 5
    assert planned(100_000).connections == 100 * 2 * 5
    assert not any("connections" in remark for remark in planned(100_000).remarks)


@pytest.mark.parametrize(
    ("cpu_seconds", "instances", "remark"),
    [
        (0.00126, 300, None),  # 3,000 of the 5,000 are what a plan uses
        (0.0021, 500, "5,000 connections to a namespace, which takes 5,000: CONNECTIONS_PER_HUB at 2"),
        (0.0042, 1_000, "10,000 connections to a namespace, which takes 5,000: more namespaces, or Premium"),
    ],
)
def test_a_plan_says_where_connections_pass_what_a_namespace_takes(
    cpu_seconds: float, instances: int, remark: str | None
) -> None:
    wide = planned(100_000, measured=replace(MEASURED, cpu_seconds=cpu_seconds))
    assert wide.instances == instances
    assert [each for each in wide.remarks if "connections" in each] == ([remark] if remark else [])


def test_a_cell_is_full_where_its_own_account_is() -> None:
    assert ceiling(MEASURED, 100) == 48_000
    assert planned(48_000).cells == 1
    assert planned(48_001).cells == 2


def test_many_instances_of_one_app_are_more_apps() -> None:
    slow = replace(MEASURED, cpu_seconds=0.042)
    assert planned(15_000, measured=slow).queues == 2  # 1,500 instances, of which an app has 1,000


def test_what_a_plan_costs_is_its_use_its_units_and_what_is_stored() -> None:
    def monthly(price: str, profiles: int = 0) -> float:
        return plan_capacity(1_000, 100, MEASURED, FREE | {price: 1.0}, profiles).monthly

    assert monthly("tableRequests") == pytest.approx(2.25 * 1_000 * MONTH_SECONDS)
    assert monthly("throughputUnitHours") == pytest.approx(4 * 730)
    assert monthly("tableGigabyteMonths", profiles=1_000_000) == pytest.approx(2.048)
    assert plan_capacity(1_000, 100, MEASURED, read_prices()).a_million == pytest.approx(0.2, abs=0.1)


def test_an_app_has_its_share_of_what_apps_have_in_common() -> None:
    four = planned(48_000, 10)
    app = App.of(four, MEASURED)
    assert app.rate == 12_000
    assert app.profile_limit == 20_000 * four.profile_accounts / 4
    assert app.shared_limit == 20_000 / 4
    assert app.event_limit == pytest.approx(four.throughput_units / 4 * 500)
    assert App.of(planned(1_000), MEASURED).shared_requests == pytest.approx(2.25 + 0.03)


def test_a_plan_holds_its_rate_and_saturates_above_it() -> None:
    app = App.of(planned(10_000), MEASURED)
    held, over = (simulate(at_share(app, share), 20, warm_up=5) for share in (1.0, 2.5))
    assert held.percentile(0.95) < 1
    assert held.waiting < 10
    assert all(0 < held.used[name] < 0.65 for name in held.used)
    assert over.waiting > 500
    assert len(over.seconds) == pytest.approx(250 * 20, rel=0.1)  # those that are not done, too
    assert over.used[over.bottleneck] > 0.95


@pytest.mark.parametrize(
    ("limit", "name"),
    [
        ("queue_limit", "queue"),
        ("queue_account_limit", "queues' accounts"),
        ("profile_limit", "profiles' accounts"),
        ("shared_limit", "account"),
        ("event_limit", "throughput units"),
    ],
)
def test_whatever_is_too_small_is_what_changes_wait_for(limit: str, name: str) -> None:
    app = App.of(planned(10_000), MEASURED)
    narrow = replace(app, **{limit: getattr(app, limit) * simulate(app, 10).used[name] / 2})
    run = simulate(narrow, 10)
    assert run.bottleneck == name
    assert run.used[name] > 0.9
    assert run.percentile(0.5) > 1


def test_the_same_seed_gives_the_same_run() -> None:
    app = App.of(planned(1_000), MEASURED)
    assert simulate(app, 5) == simulate(app, 5)
    assert simulate(app, 5) != simulate(app, 5, seed=2)


def test_scaled_from_one_instance_the_first_changes_wait_for_the_others() -> None:
    app = App.of(planned(10_000), MEASURED)
    run = simulate(app, 200, warm_up=0, start=1)
    assert SECONDS_BETWEEN_SCALING < max(run.seconds) < 600
    assert simulate(app, 120, warm_up=0).percentile(1) < 5
    assert run.waiting < 10


def test_the_host_that_is_played_is_the_one_of_host_json() -> None:
    queues = json.loads((CHECKOUT / "host.json").read_text(encoding="utf-8"))["extensions"]["queues"]
    assert (queues["batchSize"], queues["newBatchThreshold"]) == (BATCH_SIZE, NEW_BATCH_THRESHOLD)


def test_scaling_reckons_an_instance_for_all_that_one_may_have_in_hand() -> None:
    """About 120 messages wait or are in hand when it looks, for three instances of 48.

    The first took them one by one as they came, until it had more than lets it ask for another batch.
    """
    stuck = replace(App.of(planned(1_000), MEASURED), rate=400, busy_seconds=60, instances=100)
    run = simulate(stuck, SECONDS_BETWEEN_SCALING + COLD_START + 1, warm_up=0, start=1)
    assert len(run.seconds) - run.waiting == NEW_BATCH_THRESHOLD + 1 + 2 * IN_HAND
    assert run.waiting > 0


def test_without_results_the_command_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--results", str(tmp_path / "none.json")]) == 1
    assert "run python -m bench first" in capsys.readouterr().err


def test_a_mix_that_was_not_measured_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps(RESULTS))
    assert main(["--results", str(file), "--mix", "warm"]) == 1
    assert "one of those measured: cold" in capsys.readouterr().err


def test_publishing_replaces_what_is_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "scale.md"
    page.write_text("before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n")
    for _ in range(2):
        publish("| new |", page)
    assert page.read_text() == ("before\n<!-- figures: begin -->\n\n| new |\n\n<!-- figures: end -->\nafter\n")
