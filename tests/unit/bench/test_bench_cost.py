"""What a million changes cost: each item by hand, and where the figures come from."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.capacity.cost import MILLION, PRICES, TOTAL, cost_per_million, cost_table, main, read_prices
from bench.capacity.measured import Measured, MissingResultsError, read_results

PRICE = {
    "tableRequests": 0.01,
    "queueRequests": 0.02,
    "hubEvents": 0.03,
    "throughputUnitHours": 3600.0,
    "gigabyteSeconds": 0.5,
    "executions": 4.0,
}
OPERATIONS = {"tableRequests": 2.5, "queueRequests": 0.25, "events": 1.5, "eventBytes": 3_000.0}
RESULTS: dict[str, Any] = {
    "operations": {
        "figures": {"operations_per_change": {"cold": {"1": OPERATIONS, "10": OPERATIONS | {"queueRequests": 0.2}}}},
        "runs": {
            "cold": {
                size: {"events": 40, "requests": {"Profiles: read": 40, "Profiles: insert": 30, "other": 7}}
                for size in ("1", "10")
            }
        },
    },
    "speed": {"runs": {"cold": [{"app": {"cpuSeconds": seconds, "events": 10}} for seconds in (0.3, 0.1, 0.2)]}},
}


def results_file(directory: Path, results: Any) -> Path:
    file = directory / "results.json"
    file.write_text(json.dumps(results))
    return file


def test_each_item_of_the_cost_follows_its_operations_and_price() -> None:
    costs = cost_per_million(OPERATIONS, changes_a_message=10, instance_seconds=0.001, prices=PRICE)
    assert costs == pytest.approx(
        {
            "table requests": 2.5 * 0.01 * MILLION,
            "queue requests": 0.25 * 0.02 * MILLION,
            "hub, events": 1.5 * 0.03 * MILLION,
            "hub, throughput units": 3_000 / 1_000_000 / 0.6 * MILLION,
            "instances": 0.001 * 2 * 0.5 * MILLION,
            "executions": 4.0 / 10 * MILLION,
            TOTAL: sum(value for name, value in costs.items() if name != TOTAL),
        }
    )


@pytest.mark.parametrize(("event_bytes", "billed"), [(1, 1), (64 * 1024, 1), (64 * 1024 + 1, 2)])
def test_an_event_is_billed_for_each_64_kib_of_it(event_bytes: int, billed: int) -> None:
    operations = OPERATIONS | {"events": 1.0, "eventBytes": float(event_bytes)}
    assert cost_per_million(operations, 1, 0, PRICE)["hub, events"] == pytest.approx(billed * 0.03 * MILLION)


def test_small_events_fill_a_throughput_unit_by_their_number_and_none_costs_nothing() -> None:
    small = cost_per_million(OPERATIONS | {"eventBytes": 15.0}, 1, 0, PRICE)
    assert small["hub, throughput units"] == pytest.approx(1.5 / 1_000 / 0.6 * MILLION)
    none = cost_per_million(OPERATIONS | {"events": 0.0, "eventBytes": 0.0}, 1, 0, PRICE)
    assert none["hub, events"] == none["hub, throughput units"] == 0


def test_every_price_says_what_it_is_of_where_it_is_from_and_whether_it_was_verified() -> None:
    document = json.loads(PRICES.read_text(encoding="utf-8"))
    assert document["currency"] == "USD"
    assert document["date"] <= "2100"
    for name, price in document["prices"].items():
        assert set(price) == {"value", "per", "unit", "source", "seen", "verified"}, name
        assert price["source"].startswith("https://azure.microsoft.com/pricing/details/")
        assert isinstance(price["verified"], bool)
    assert set(read_prices()) == set(PRICE) | {"tableGigabyteMonths"}
    assert read_prices()["queueRequests"] == pytest.approx(4e-7)


def test_results_are_read_as_the_measurement_writes_them(tmp_path: Path) -> None:
    measured = read_results(results_file(tmp_path, RESULTS))["cold"]
    assert measured.cpu_seconds == pytest.approx(0.02)
    assert measured.operations[10]["queueRequests"] == 0.2
    assert measured.operations[1]["profileRequests"] == pytest.approx(70 / 40)
    assert measured.busy_seconds == pytest.approx(0.02 / 0.7)
    assert measured.instance_seconds == pytest.approx(0.02 / 0.7 / 0.6)


@pytest.mark.parametrize("results", [{}, {"operations": RESULTS["operations"]}, {"speed": RESULTS["speed"]}])
def test_missing_parts_say_what_to_run(tmp_path: Path, results: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MissingResultsError, match="run python -m bench first"):
        read_results(results_file(tmp_path, results))
    assert main(["--results", str(tmp_path / "results.json")]) == 1
    assert "run python -m bench first" in capsys.readouterr().err


def test_without_results_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(MissingResultsError, match=r"nowhere\.json .*run python -m bench first"):
        read_results(tmp_path / "nowhere.json")


def test_the_table_has_a_row_for_each_mix_and_size() -> None:
    operations = OPERATIONS | {"profileRequests": 2.0}
    table = cost_table({"cold": Measured({1: operations, 100: operations}, 0.001)}, PRICE)
    assert [line.split(" |")[0] for line in table.splitlines()[2:]] == ["| cold, 1 a message", "| cold, 100 a message"]


def test_the_command_prints_the_table_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(results_file(tmp_path, RESULTS))
    assert main(["--results", file]) == 0
    assert "| cold, 10 a message |" in capsys.readouterr().out
    assert main(["--results", file, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["cold"]) == {"1", "10"}
