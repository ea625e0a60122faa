"""The load by seeds: results add up over several starts, what fails is told with less, duplicates with their cause."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.exports import Export
from tests.faults.load.causes import (
    BESIDE_A_CHANGE,
    DELIVERED_AGAIN,
    SENT_ONCE_MORE,
    SLICE_BEGUN_AGAIN,
    causes_of_duplicates,
)
from tests.faults.load.report import Outcome, Result, duplicates_by_cause
from tests.faults.load.run import FULL_SIZE, SHORT_SIZE, Size
from tests.faults.load.seeds import SeededResults, Turn, lost_in_a_million_at_most, shrunk


def outcome(scenario: str, acknowledged: int = 1_000, *failures: str) -> Outcome:
    counts = {"attempts": 0, "lost": len(failures), "unexpected": 0, "duplicated": 3, "recovered": 0, "pairs": 9}
    result = Result(
        scenario=scenario,
        acknowledged=acknowledged,
        duplicates_per_10000=0.0,
        seconds_to_drain=0.0,
        last_not_greatest=0,
        **counts,
    )
    return Outcome(result, list(failures))


def test_a_second_start_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    file, scenarios, seeds = tmp_path / "results.json", ["calm", "killed"], (4, 5)
    first = SeededResults(file, FULL_SIZE)
    for turn in list(first.left(scenarios, seeds))[:3]:
        first.add(turn, outcome(turn.scenario))
    second = SeededResults(file, FULL_SIZE)
    assert list(second.left(scenarios, seeds)) == [Turn("killed", 5)]
    second.add(Turn("killed", 5), outcome("killed", 7_000))
    document = SeededResults(file, FULL_SIZE).document()
    assert document["seeds"] == [4, 5]
    assert document["totals"] | {"runs": 4, "acknowledged": 10_000, "duplicated": 12, "failed": 0} == document["totals"]
    assert document["lostInAMillionAtMost"] == 300.0


def test_results_of_another_size_are_not_added_up(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    SeededResults(file, SHORT_SIZE).add(Turn("calm", 1), outcome("calm"))
    assert list(SeededResults(file, FULL_SIZE).left(["calm"], [1])) == [Turn("calm", 1)]


def test_nothing_is_said_of_how_seldom_exports_are_lost_where_some_were() -> None:
    assert lost_in_a_million_at_most({"lost": 0, "acknowledged": 3_000_000}) == 1.0
    assert lost_in_a_million_at_most({"lost": 1, "acknowledged": 3_000_000}) is None
    assert lost_in_a_million_at_most({"lost": 0, "acknowledged": 0}) is None


def test_what_fails_is_tried_with_less() -> None:
    tried: list[Size] = []

    def play(turn: Turn, size: Size) -> Outcome:
        tried.append(size)
        return outcome("killed", 1, *(["lost: it"] if size.changes >= 5_000 and size.kills >= 1 else []))

    least = shrunk(Turn("killed", 1), FULL_SIZE, play)
    assert (least.changes, least.profiles, least.kills) == (5_000, 500, 1)
    assert all(size.changes >= 100 for size in tried)


def export(number: int, reason: str, trace: str | None = None, message_id: str = "m") -> Export:
    properties: dict[str, Any] = {"reason": reason} | ({"traceparent": trace} if trace else {})
    return Export(
        hub="crm",
        partition="0",
        sequence_number=number,
        offset="0",
        enqueued_time=datetime.now(UTC),
        content_type=None,
        message_id=message_id,
        partition_key=None,
        properties=properties,
        body={},
    )


def test_duplicates_have_causes() -> None:
    assert causes_of_duplicates([export(1, "audience"), export(2, "audience", message_id="n")]) == {}
    pairs = {
        DELIVERED_AGAIN: [export(1, "audience", "t"), export(2, "audience", "t")],
        SLICE_BEGUN_AGAIN: [export(2, "backfill"), export(1, "backfill")],
        BESIDE_A_CHANGE: [export(1, "audience", "t"), export(2, "backfill")],
        SENT_ONCE_MORE: [export(1, "audience", "t"), export(2, "audience")],
    }
    for cause, copies in pairs.items():
        assert causes_of_duplicates(copies) == {cause: 1}
    assert duplicates_by_cause(causes_of_duplicates(pairs[DELIVERED_AGAIN]), 200) == [
        f"50.0 of 10,000 exports came again: {DELIVERED_AGAIN}"
    ]
