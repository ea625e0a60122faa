"""The isolation measurement: from events in the healthy hubs to medians, ratios and whether the promise holds."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.isolation.results import Comparison, Delivery, Run, compare

BEGAN = 1_000.0


def run_of(deliveries: list[Delivery], sent_at: dict[int, float], seconds: float = 20.0) -> Run:
    return Run.of(
        kind="dead",
        seconds=seconds,
        began=BEGAN,
        sent_at=sent_at,
        deliveries=deliveries,
        undelivered_rows={"parked": 1},
        undelivered_exports={},
        load_average=0.5,
    )


RUN = run_of(
    [
        Delivery("a", 0, BEGAN + 0.5),  # of a change from before the window
        Delivery("a", 1, BEGAN + 1),
        Delivery("a", 1, BEGAN + 3),  # twice
        Delivery("b", 1, BEGAN + 2),
        Delivery("a", 2, BEGAN + 17),
        Delivery("b", 2, BEGAN + 20.5),  # after the window
        Delivery("a", 3, BEGAN + 18),
    ],
    {1: BEGAN, 2: BEGAN + 16, 3: BEGAN + 16},
)


def test_events_and_latencies_are_told_apart_by_the_first_seconds() -> None:
    assert RUN.early_rate == pytest.approx(3 / 15)
    assert RUN.later_rate == pytest.approx(2 / 5)
    assert (RUN.early_p95, RUN.later_p95) == (2.0, 4.5)
    assert (RUN.p50, RUN.p95) == (2.0, 4.5)
    assert (RUN.changes, RUN.missing, RUN.duplicates) == (3, 1, 1)
    assert (len(RUN.events_each_second), sum(RUN.events_each_second)) == (20, 5)


def test_a_run_without_later_seconds_or_events_has_no_figure_for_them() -> None:
    empty = run_of([], {}, seconds=15.0)
    assert math.isnan(empty.later_rate)
    assert (empty.to_json()["laterRate"], empty.to_json()["p95"], empty.to_json()["earlyRate"]) == (None, None, 0.0)
    assert "NaN" not in json.dumps(empty.to_json())


def compared(**with_fault: Any) -> dict[str, Comparison]:
    """Medians of three runs without and with the fault, of which two have these figures."""
    ordinary = replace(RUN, early_rate=100.0, later_rate=100.0, p95=1.0)
    faulty = replace(ordinary, **with_fault)
    return {each.what: each for each in compare([ordinary] * 3, [faulty, ordinary, faulty])}


@pytest.mark.parametrize(
    ("figure", "what", "holds", "breaks"),
    [
        ("early_rate", "events/s in the first 15 s", 70.0, 69.0),
        ("later_rate", "events/s after 15 s", 90.0, 89.0),
        ("p95", "latency p95, s", 2.0, 2.1),
    ],
)
def test_each_bound_holds_up_to_its_limit(figure: str, what: str, holds: float, breaks: float) -> None:
    assert compared(**{figure: holds})[what].holds
    broken = compared(**{figure: breaks})
    assert [name for name, each in broken.items() if not each.holds] == [what]


def test_the_medians_decide() -> None:
    ordinary = replace(RUN, early_rate=100.0, later_rate=100.0, p95=1.0)
    slow = replace(ordinary, early_rate=1.0, later_rate=1.0, p95=100.0)
    assert all(each.holds for each in compare([ordinary] * 3, [ordinary, slow, ordinary]))


def test_what_could_not_be_measured_does_not_hold() -> None:
    broken = compared(p95=math.nan, early_rate=math.nan)
    assert {name for name, each in broken.items() if not each.holds} == {"latency p95, s", "events/s in the first 15 s"}
    assert broken["latency p95, s"].to_json() == {
        "what": "latency p95, s",
        "without": 1.0,
        "with": None,
        "ratio": None,
        "bound": "<= 2",
        "holds": False,
    }
    assert not Comparison(what="events/s", without=0.0, with_fault=0.0, at_least=0.9).holds


def test_what_has_no_bound_is_only_told() -> None:
    told = compared(p50=1_000.0)["latency p50, s"]
    assert (told.bound, told.holds) == ("", True)
