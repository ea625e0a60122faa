"""What is undelivered, over the API: listed, counted, tried again."""

import pytest

from shared.domain.exports.recovery import GOES_ON_WITHIN, Recovery
from shared.domain.instants import SECOND, format_instant
from shared.domain.profile_key import profile_key
from shared.errors import ExportTooLargeError
from shared.ports.health import DestinationTrouble
from tests.kit.api import Api
from tests.kit.builders import item, membership
from tests.kit.world import World

PATH = "/api/undelivered"
ROW = f"{PATH}/d/{profile_key('p0')}"


@pytest.fixture
async def world() -> World:
    """d refuses three profiles as too large, and e has not heard of one."""
    world = World()
    world.sender.failures["d"] = lambda down: ExportTooLargeError(down, "too large")
    for number in range(3):
        await world.handle(item(f"p{number}", 1, segmentMembership=membership(1)), message_id=f"m{number}")
    world.break_down("e")
    await world.handle(item("q", 1, segmentMembership=membership(1)), message_id="q")
    return world


async def test_pages(api: Api) -> None:
    everything = await api.expect(200, "GET", PATH)
    assert (len(everything["undelivered"]), everything["next"]) == (5, None)
    first = await api.expect(200, "GET", f"{PATH}?destination=d&state=dead&limit=3")
    second = await api.expect(200, "GET", f"{PATH}?destination=d&state=dead&limit=3&token={first['next']}")
    listed = [*first["undelivered"], *second["undelivered"]]
    assert sorted(row["profileId"] for row in listed) == ["p0", "p1", "p2", "q"]
    assert {(row["state"], row["permanent"], row["lastError"]) for row in listed} == {("dead", True, "too large")}
    assert await api.expect(200, "GET", ROW) == next(row for row in listed if row["profileId"] == "p0")
    await api.expect(404, "GET", ROW.replace("/d/", "/e/"))


@pytest.mark.parametrize(
    "query",
    ["token=x", "token=", "token=" + "A" * 5_000, "state=lost", "destination=D'", "limit=0", "limit=1001", "limit=x"],
)
async def test_what_is_asked_wrongly_is_refused(api: Api, query: str) -> None:
    await api.expect(422, "GET", f"{PATH}?{query}")


async def test_counts_and_what_was_asked_for(api: Api) -> None:
    asked = await api.expect(202, "POST", f"{PATH}/d/redrive")
    assert asked == {"destinationId": "d", "requestedAt": format_instant(api.world.clock())}
    counts = await api.expect(200, "GET", f"{PATH}/counts")
    assert counts == {
        "destinations": {
            "d": {"states": {"dead": 4}, "total": 4, "complete": True},
            "e": {"states": {"retrying": 1}, "total": 1, "complete": True},
        },
        "redriveRequestedAt": {"d": asked["requestedAt"]},
        "recoveries": {},
    }
    api.world.mend("d")
    await api.world.clock.sleep(30)
    await api.world.worker.watch_destinations.run()
    counts = await api.expect(200, "GET", f"{PATH}/counts")
    assert (counts["destinations"]["d"]["total"], counts["redriveRequestedAt"]) == (0, {})
    await api.expect(404, "POST", f"{PATH}/nobody/redrive")


async def test_one_row_is_tried_again(api: Api) -> None:
    refused = await api.expect(200, "POST", f"{ROW}/redrive")
    assert (refused["outcome"], refused["undelivered"]["attempts"]) == ("refused", 2)
    api.world.mend("d")
    assert await api.expect(200, "POST", f"{ROW}/redrive") == {"outcome": "sent", "undelivered": None}
    await api.expect(404, "POST", f"{ROW}/redrive")
    entries = (await api.expect(200, "GET", "/api/audit"))["entries"]
    assert sorted((entry["status"], *entry["details"][:1]) for entry in entries)[:2] == [
        (200, "redrive refused"),
        (200, "redrive sent"),
    ]


async def test_how_far_a_redrive_is(api: Api) -> None:
    now = api.world.clock()
    await api.world.health.note_recovery(Recovery("e", now - 10 * SECOND, now, settled=4))
    await api.world.health.note_recovery(Recovery("d", now - 10 * SECOND, now, settled=4))
    found = (await api.expect(200, "GET", f"{PATH}/counts"))["recoveries"]
    noted = {"since": format_instant(now - 10 * SECOND), "at": format_instant(now), "settled": 4, "perSecond": 0.4}
    assert found == {
        "d": noted | {"left": 0, "total": 4, "share": 1.0, "secondsLeft": 0},
        "e": noted | {"left": 1, "total": 5, "share": 0.8, "secondsLeft": 2},
    }, "what is dead is left alone"
    await api.expect(202, "POST", f"{PATH}/d/redrive")
    found = (await api.expect(200, "GET", f"{PATH}/counts"))["recoveries"]
    assert (found["d"]["left"], found["d"]["share"]) == (4, 0.5)
    await api.world.health.put(DestinationTrouble("d", recovering=False, since=now, error="down again"))
    assert (await api.expect(200, "GET", f"{PATH}/counts"))["recoveries"].keys() == {"e"}
    await api.world.clock.sleep(GOES_ON_WITHIN / SECOND)
    assert (await api.expect(200, "GET", f"{PATH}/counts"))["recoveries"] == {}
