"""What the fault load tells of its scenarios: what an outage costs, the table and the JSON."""

import io
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from rich.console import Console

from local.storage_faults.control import StorageFaults
from local.storage_faults.counts import CountedRequest
from tests.faults.load.outage_writes import OutageWrites
from tests.faults.load.report import Outcome, Result, print_outcomes, write_outcomes
from tests.faults.load.storage import Storage

CALM = Result(
    scenario="calm",
    attempts=1_000,
    acknowledged=999,
    lost=0,
    unexpected=0,
    duplicated=2,
    recovered=3,
    duplicates_per_10000=20.0,
    seconds_to_drain=1.5,
    pairs=400,
    last_not_greatest=0,
)
DEAD = Result(
    scenario="one destination dead",
    attempts=10,
    acknowledged=9,
    lost=1,
    unexpected=0,
    duplicated=0,
    recovered=0,
    duplicates_per_10000=0.0,
    seconds_to_drain=0.5,
    pairs=4,
    last_not_greatest=1,
    undelivered_writes_per_change=0.125,
    table_writes_per_change=1.5,
)


def requests(*counts: tuple[Any, str, str, int]) -> Counter[CountedRequest]:
    return Counter({CountedRequest(service, method, resource): count for service, method, resource, count in counts})


def counting(
    before: Counter[CountedRequest], after: Counter[CountedRequest], rows: list[tuple[str, str]]
) -> tuple[OutageWrites, dict[tuple[str, str], float]]:
    """And when each change was sent, to be filled."""
    storage = Mock(spec=Storage, sent_at={}, undelivered_rows=AsyncMock(return_value=rows))
    proxy = Mock(spec=StorageFaults)
    proxy.requests.side_effect = [before, after]
    return OutageWrites(storage, proxy), storage.sent_at


async def test_writes_during_an_outage_are_told_for_each_change_sent_in_it() -> None:
    before = requests(("table", "POST", "Undelivered", 7), ("table", "PUT", "Profiles", 100))
    after = requests(
        ("table", "POST", "Undelivered", 9),
        ("table", "PUT", "Undelivered", 2),
        ("table", "DELETE", "Undelivered", 1),
        ("table", "GET", "Undelivered", 50),
        ("table", "PUT", "Profiles", 103),
        ("table", "PATCH", "Configuration", 1),
        ("table", "POST", "Tables", 5),
        ("queue", "POST", "export-retries", 20),
    )
    writes, sent_at = counting(before, after, [("d", "p"), ("d", "q"), ("e", "p")])
    sent_at["early", "1"] = time.time() - 1
    async with writes.counted():
        sent_at.update({("p", "1"): time.time(), ("p", "2"): time.time()})
    sent_at["late", "1"] = time.time() + 1

    cost = writes.cost
    assert cost is not None
    assert (cost.changes, cost.undelivered, cost.all_tables, cost.rows) == (2, 5, 9, 3)
    assert (cost.undelivered_per_change, cost.all_tables_per_change) == (2.5, 4.5)
    assert cost.more_than_one_row == []
    assert str(cost).startswith("2 changes sent during the outage, 5 writes to Undelivered, 9 writes to all tables, 3 ")


async def test_a_second_row_of_a_pair_is_named() -> None:
    writes, sent_at = counting(requests(), requests(), [("d", "p"), ("d", "q"), ("d", "p")])
    async with writes.counted():
        sent_at["p", "1"] = time.time()
    assert writes.cost is not None
    assert writes.cost.more_than_one_row == [("d", "p")]


async def test_an_outage_without_a_change_has_no_cost_for_each() -> None:
    writes, _ = counting(requests(), requests(("table", "POST", "Undelivered", 1)), [])
    async with writes.counted():
        pass
    assert writes.cost is None


async def test_without_a_proxy_nothing_is_counted() -> None:
    storage = Mock(spec=Storage, sent_at={})
    async with OutageWrites(storage, None).counted():
        storage.sent_at["p", "1"] = time.time()
    assert storage.method_calls == []


def printed(*outcomes: Outcome) -> str:
    out = io.StringIO()
    print_outcomes(Console(file=out, width=220), outcomes, "on a machine")
    return out.getvalue()


def test_the_table_has_a_line_for_each_scenario_and_what_failed_below() -> None:
    heading, columns, calm, dead, *below = printed(
        Outcome(CALM), Outcome(DEAD, [f"lost: {number}" for number in range(7)], ["8 changes"])
    ).splitlines()[1:]
    assert heading == "on a machine"
    names = columns.split("  ")
    assert (names[0], names[-2:]) == ("scenario", ["undelivered writes per change", "table writes per change"])
    assert calm.split() == ["calm", "1,000", "999", "0", "0", "2", "3", "20.0", "1.5", "400", "0", "-", "-"]
    assert dead.split()[-5:] == ["0.5", "4", "1", "0.125", "1.5"]
    assert below == [
        "one destination dead: 8 changes",
        *(f"one destination dead: lost: {number}" for number in range(5)),
        "one destination dead: and 2 more",
    ]


def test_the_json_has_the_names_that_are_documented(tmp_path: Path) -> None:
    write_outcomes(tmp_path / "new" / "faults.json", [Outcome(CALM), Outcome(DEAD)])
    calm, dead = json.loads((tmp_path / "new" / "faults.json").read_text())
    assert calm == {
        "scenario": "calm",
        "attempts": 1_000,
        "acknowledged": 999,
        "lost": 0,
        "unexpected": 0,
        "duplicated": 2,
        "recovered": 3,
        "duplicatesPer10000": 20.0,
        "secondsToDrain": 1.5,
        "pairs": 400,
        "lastNotGreatest": 0,
        "undeliveredWritesPerChange": None,
        "tableWritesPerChange": None,
    }
    assert (dead["undeliveredWritesPerChange"], dead["tableWritesPerChange"]) == (0.125, 1.5)


@pytest.mark.parametrize(
    ("request_", "writes"),
    [
        (CountedRequest("table", "POST", "Undelivered"), True),
        (CountedRequest("table", "MERGE", "Undelivered"), True),
        (CountedRequest("table", "GET", "Undelivered"), False),
        (CountedRequest("table", "HEAD", "Undelivered"), False),
        (CountedRequest("table", "POST", "Tables"), False),
        (CountedRequest("table", "PUT", ""), False),
        (CountedRequest("queue", "POST", "export-retries"), False),
    ],
)
def test_what_writes_rows(request_: CountedRequest, writes: bool) -> None:
    assert request_.writes_rows is writes
