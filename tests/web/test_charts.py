"""Charts and words of the console: what is drawn stands for what was counted."""

import re
from collections import Counter
from xml.etree import ElementTree

import pytest

from shared.domain.instants import DAY, MINUTE, SECOND
from shared.domain.runs import Histogram, RunCounts, RunSlot
from shared.web.console.charts import lines, stacked_bars, top_of
from shared.web.console.history import draw
from shared.web.console.words import age, duration, lasting, measured, percent, sentence


def histogram(*durations: int) -> Histogram:
    counted = Histogram()
    for duration_ in durations:
        counted.add(duration_)
    return counted


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own


def test_bars_stand_on_each_other() -> None:
    svg = stacked_bars("k", "T & <t>", "D", ["one", "two"], {"a": [1, 0], "b": [3, 4]}, 4)
    root = parsed(svg)
    bars = [(each.get("class"), each.get("y"), each.get("height")) for each in root.iter("rect")]
    assert bars == [("series-0", "75", "25"), ("series-1", "0", "75"), ("series-1", "0", "100")]
    assert root.findtext("title") == "T & <t>"
    assert root.get("aria-labelledby") == "k-title k-desc"
    assert "style" not in svg


def test_lines_break_where_nothing_was_measured() -> None:
    root = parsed(lines("k", "T", "D", list("abcde"), {"p": [1, 2, None, 4, None]}, 4))
    assert [each.get("points") for each in root.iter("polyline")] == ["0.5,75 1.5,50"]
    assert [(each.get("x1"), each.get("y1")) for each in root.iter("line") if each.get("class") != "grid"] == [
        ("3.5", "0")
    ]


@pytest.mark.parametrize(
    ("most", "top"), [(0, 1), (1, 1), (1.01, 2), (3, 5), (51, 100), (100, 100), (0.3, 0.5), (12_000, 20_000)]
)
def test_the_upper_edge_is_a_round_number(most: float, top: float) -> None:
    assert top_of(most) == pytest.approx(top)


def test_a_history_becomes_charts() -> None:
    first = RunCounts(
        activated=Counter({"audience": 3, "attribute": 1}), failed=2, latency=histogram(SECOND, 3 * SECOND)
    )
    slots = [
        RunSlot(0, first),
        RunSlot(60 * MINUTE, RunCounts(parked=4)),
        RunSlot(120 * MINUTE, RunCounts(activated=Counter({"audience": 1}), dead=1)),
    ]
    exports, failures, latency = draw(slots)
    assert (exports.summary, exports.legend, exports.top) == ("5 exports", ["audience", "attribute"], "5")
    assert (failures.summary, failures.legend) == ("7 in all", ["failed attempts", "parked exports", "dead exports"])
    assert latency.summary == "p95 at most 3.5 s"
    assert "4 audience, 1 attribute; at most 4 in one step" in exports.svg
    assert exports.ends == ("1970-01-01 00:00", "1970-01-01 02:00")
    assert re.findall(r"<title>([^<]*)</title>", exports.svg)[0] == "1970-01-01 00:00: 3 audience"


def test_many_exports_are_written_out() -> None:
    assert draw([RunSlot(0, RunCounts(activated=Counter({"audience": 1_234_567})))])[0].top == "2,000,000"


def test_many_reasons_are_drawn_together_and_nothing_not_at_all() -> None:
    counts = RunCounts(activated=Counter({f"reason-{number}": 10 - number for number in range(8)}))
    assert draw([RunSlot(0, counts)])[0].legend == [*(f"reason-{number}" for number in range(5)), "other"]
    assert draw([RunSlot(0, RunCounts())]) == []
    assert draw([RunSlot(0, RunCounts(parked=1))]) != []


def test_reasons_that_came_together_are_not_taken_for_two() -> None:
    counts = RunCounts(activated=Counter({"audience,attribute": 1}))
    assert draw([RunSlot(0, counts)])[0].legend == ["audience + attribute"]


@pytest.mark.parametrize(
    ("elapsed", "text"),
    [
        (0, "just now"),
        (SECOND, "1 s ago"),
        (MINUTE, "1 min ago"),
        (3 * DAY, "3 d ago"),
        (-90 * SECOND, "in 1 min"),
    ],
)
def test_ages(elapsed: int, text: str) -> None:
    shown = age("2026-01-11T21:24:39Z", 1_768_166_679 * SECOND + elapsed)
    assert shown == f'<time datetime="2026-01-11T21:24:39Z" title="2026-01-11T21:24:39Z">{text}</time>'


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "seconds", "0 s"),
        (612.4, "seconds", "10.2 min"),
        (600.0, "seconds", "10 min"),
        (1_000 * 86_400, "seconds", "1,000 d"),
        (0.0123, "share", "1.23 %"),
        (0.01, "share", "1 %"),
        (1, "share", "100 %"),
        (12_345, "exports", "12,345 exports"),
    ],
)
def test_what_rules_measure(value: float, unit: str, text: str) -> None:
    assert measured(value, unit) == text


def test_words() -> None:
    assert (duration(0), duration(119 * MINUTE), percent(0.999), percent(1)) == ("0 s", "1 h", "99 %", "100 %")
    assert lasting(0, 5 * SECOND).endswith(">5 s</time>")
    assert (sentence("it is so"), sentence("Is it?"), sentence("")) == ("It is so.", "Is it?", ".")
    assert sentence("contoso.servicebus.windows.net did not answer") == "contoso.servicebus.windows.net did not answer."
