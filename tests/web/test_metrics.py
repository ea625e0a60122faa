"""What was counted, over the API."""

import pytest

from tests.kit.api import Api
from tests.kit.builders import NOW, START, item, membership
from tests.kit.world import World


@pytest.fixture
async def world() -> World:
    """An hour ago d and e got an export, just now d failed, and a change concerned nobody."""
    world = World()
    world.clock.now = START
    await world.handle(item("p", 0, segmentMembership=membership(0), attributes={"x": 1}), message_id="m")
    world.clock.now = NOW
    world.break_down("d")
    await world.clock.sleep(2)
    await world.handle(item("q", 0, segmentMembership=membership(0)), item("r", 0, attributes={"y": 1}), message_id="n")
    await world.worker.runs.flush()
    return world


async def test_counts_by_hour_and_in_all(api: Api) -> None:
    answer = await api.expect(200, "GET", "/api/metrics/d?hours=2")
    assert (answer["since"], answer["until"], answer["step"]) == ("2026-01-11T20:00:00Z", "2026-01-11T22:00:02Z", 3600)
    assert [slot["start"][11:16] for slot in answer["slots"]] == ["20:00", "21:00", "22:00"]
    before, ago, now = (slot["counts"] for slot in answer["slots"])
    assert (before["received"], before["latency"]) == (0, {"count": 0, "mean": None, "p50": None, "p95": None})
    assert (ago["received"], ago["activated"], ago["failed"]) == (1, {"audience,attribute": 1}, 0)
    assert (now["received"], now["activated"], now["failed"]) == (1, {}, 1)
    totals = answer["totals"]
    assert (totals["received"], totals["failed"], totals["bytesSent"]) == (2, 1, ago["bytesSent"])
    e = await api.expect(200, "GET", "/api/metrics/e?hours=1&step=600")
    assert len(e["slots"]) == 7
    assert e["slots"][-1]["counts"]["latency"] == {"count": 1, "mean": 2.0, "p50": pytest.approx(2.0, rel=0.2)} | {
        "p95": pytest.approx(2.0, rel=0.3)
    }
    assert [slot["counts"]["freshness"]["mean"] for slot in e["slots"] if slot["counts"]["activated"]] == [0.0, 3602.0]


async def test_what_concerns_no_single_destination(api: Api) -> None:
    totals = (await api.expect(200, "GET", "/api/metrics/*"))["totals"]
    assert (totals["received"], totals["excluded"]) == (3, {"nothing mapped changed": 1})


@pytest.mark.parametrize(
    ("status", "path"),
    [(404, "x"), (422, "D"), (422, "d?hours=0"), (422, "d?hours=769"), (422, "d?step=900"), (422, "d?step=0")],
)
async def test_what_cannot_be_counted(api: Api, status: int, path: str) -> None:
    await api.expect(status, "GET", f"/api/metrics/{path}")
