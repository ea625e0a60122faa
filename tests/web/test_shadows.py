"""A mapping tried beside the live one, over the API: begun, watched, made live, dropped, over."""

from collections import Counter
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.builders import item, membership
from tests.kit.world import World

PATH = "/api/dataflows/d"
SHADOW = f"{PATH}/shadow"
CANDIDATE: dict[str, Any] = {
    "audiences": ["a", "b"],
    "attributes": ["/x", "/y"],
    "consent": "/ok",
    "skipSameValueWrites": True,
}
CHANGES = [
    item("p", 1, segmentMembership=membership(1), attributes={"ok": True}),
    item("q", 1, segmentMembership=membership(1, audience="b"), attributes={"ok": "yes"}),
    item("r", 1, segmentMembership=membership(1)),
    item("p", 2, attributes={"x": 1, "y": 1}),
    item("p", 3, attributes={"x": 1}),
    item("q", 3, attributes={"y": 2}),
    item("p", 4, segmentMembership=membership(4, audience="b")),
    item("p", 5, attributes={"ok": False}),
    item("q", 6, segmentMembership=membership(6, "exited", audience="b")),
]


async def play(world: World) -> None:
    """Each change in a message of its own."""
    for number, change in enumerate(CHANGES):
        await world.handle(change, message_id=f"m{number}")
    await world.worker.runs.flush()


def sent(world: World) -> tuple[Counter[str], int]:
    """By `d`: reasons, and bytes of bodies."""
    exports = [export for export in world.sender.sent if export.destination.id == "d"]
    return Counter(",".join(export.reasons) for export in exports), sum(len(export.body) for export in exports)


def figures(side: dict[str, Any]) -> tuple[Counter[str], int]:
    return Counter(side["byReason"]), side["bytes"]


async def test_it_counts_what_the_live_dataflow_sends_of_the_same_changes_once_it_is_live(api: Api) -> None:
    await api.expect(201, "PUT", SHADOW, json={"mapping": CANDIDATE, "hours": 1})
    await play(api.world)
    shown = await api.expect(200, "GET", SHADOW)
    assert figures(shown["live"]) == sent(api.world)

    live = World()
    async with Api(live) as other:
        await other.expect(200, "PUT", PATH, json=CANDIDATE)
        await play(live)
    assert figures(shown["candidate"]) == sent(live)
    assert shown["candidate"]["exports"] == len([each for each in live.sender.sent if each.destination.id == "d"]) > 5
    assert shown["both"] + shown["onlyLive"] == shown["live"]["exports"]
    assert shown["both"] + shown["onlyCandidate"] == shown["candidate"]["exports"]
    assert shown["onlyLive"] > 0 < shown["onlyCandidate"]
    assert 0 < shown["differing"] < shown["both"]


async def test_nothing_but_the_counts_differs(api: Api) -> None:
    await api.expect(201, "PUT", SHADOW, json={"mapping": CANDIDATE})
    plain = World()
    # A save of the configuration, as the shadow's: profiles remember its revision.
    plain.configuration.put((await plain.configuration.load()).configuration.model_copy(update={"revision": 2}))
    requests = []
    for world in (api.world, plain):
        await play(world)
        requests.append((world.profiles.rows, world.members.rows, world.sender.sent, world.undelivered.rows))
        world.runs.rows = {key: row for key, row in world.runs.rows.items() if key[0] == "e"}
    assert requests[0] == requests[1]
    assert api.world.runs.rows == plain.runs.rows


async def test_what_is_counted_is_saved_with_what_is_counted_anyway(api: Api) -> None:
    """One row for a destination, slot and instance, whether it has a shadow or not."""
    await api.expect(201, "PUT", SHADOW, json={"mapping": {"audiences": ["a"]}})
    await play(api.world)
    assert Counter(key[0] for key in api.world.runs.rows)["d"] == 1


async def test_it_is_what_it_was_given_and_ends_when_it_was_told(api: Api) -> None:
    answer = await api.put(SHADOW, json={"mapping": CANDIDATE})
    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["state"], shown["secondsLeft"]) == ("running", 24 * 3_600)
    assert [each["id"] for each in shown["mapping"]["audiences"]] == ["a", "b"]
    assert [each["id"] for each in shown["backfill"]["audiences"]] == ["b"]
    assert shown["candidate"] == {"exports": 0, "byReason": {}, "bytes": 0, "month": None}
    assert (await api.get(SHADOW)).headers["etag"] == answer.headers["etag"]
    assert (await api.expect(200, "GET", PATH))["attributes"] == ["/x"]

    await play(api.world)
    counted = (await api.expect(200, "GET", SHADOW))["candidate"]
    await api.world.clock.sleep(24 * 3_600)
    await api.world.handle(item("late", 9, segmentMembership=membership(9), attributes={"ok": True}), message_id="late")
    await api.world.worker.runs.flush()
    over = await api.expect(200, "GET", SHADOW)
    assert (over["state"], over["secondsLeft"], over["seconds"]) == ("over", 0, 24 * 3_600)
    assert (over["candidate"]["exports"], over["candidate"]["bytes"]) == (counted["exports"], counted["bytes"])
    month = over["candidate"]["month"]
    assert month["events"] == round(counted["exports"] * 730 / 24)
    assert (month["throughputUnits"], month["dollars"]) == (1, 21.9)


async def test_made_live_it_is_the_mapping_and_tried_no_more(api: Api) -> None:
    await api.expect(200, "POST", f"{PATH}/pause")
    tag = (await api.put(SHADOW, json={"mapping": CANDIDATE})).headers["etag"]
    made = await api.request("POST", f"{SHADOW}/make-live", headers={"If-Match": tag})
    assert made.status_code == 200
    dataflow = made.json()
    assert (dataflow["attributes"], dataflow["consent"], dataflow["enabled"]) == (["/x", "/y"], "/ok", False)
    assert made.headers["etag"] == (await api.get(PATH)).headers["etag"]
    await api.expect(404, "GET", SHADOW)
    await api.expect(200, "POST", f"{PATH}/resume")
    (backfill,) = (await api.expect(200, "GET", "/api/backfills"))["backfills"]
    assert backfill["destination"] == "d"


async def test_made_live_where_it_is_live_already_it_is_tried_no_more(api: Api) -> None:
    live = (await api.get(PATH)).json()
    await api.expect(201, "PUT", SHADOW, json={"mapping": live})
    before = (await api.get(PATH)).json()
    assert (await api.expect(200, "POST", f"{SHADOW}/make-live")) == before
    await api.expect(404, "GET", SHADOW)
    assert (await api.expect(200, "GET", "/api/backfills"))["backfills"] == []


async def test_saved_by_hand_it_is_tried_no_more(api: Api) -> None:
    await api.expect(201, "PUT", SHADOW, json={"mapping": CANDIDATE})
    await api.expect(200, "PUT", PATH, json=CANDIDATE)
    await api.expect(404, "GET", SHADOW)


async def test_dropped_it_is_gone_and_the_live_mapping_stays(api: Api) -> None:
    before = (await api.get(PATH)).json()
    await api.expect(201, "PUT", SHADOW, json={"mapping": CANDIDATE})
    await api.expect(204, "DELETE", SHADOW)
    await api.expect(404, "GET", SHADOW)
    await api.expect(404, "DELETE", SHADOW)
    await api.expect(404, "POST", f"{SHADOW}/make-live")
    assert (await api.get(PATH)).json() == before


async def test_it_goes_with_its_dataflow_and_stays_through_other_changes(api: Api) -> None:
    await api.expect(201, "PUT", SHADOW, json={"mapping": CANDIDATE})
    await api.expect(200, "PUT", "/api/dataflows/e", json={"audiences": ["c"]})
    document = await api.expect(200, "GET", "/api/config")
    assert "shadows" not in document
    await api.expect(200, "PUT", "/api/config?prune=true", json=document)
    assert not (await api.expect(200, "GET", SHADOW))["liveChanged"]
    await api.expect(200, "PUT", PATH, json={"audiences": ["a", "c"]})
    assert (await api.expect(200, "GET", SHADOW))["liveChanged"]
    await api.expect(204, "DELETE", PATH)
    problem = await api.expect(404, "GET", SHADOW)
    assert "there is no dataflow" in problem["detail"]
    await api.expect(201, "PUT", PATH, json={"audiences": ["a"]})
    await api.expect(404, "GET", SHADOW)


async def test_another_candidate_starts_from_nothing(api: Api) -> None:
    await api.expect(201, "PUT", SHADOW, json={"mapping": CANDIDATE})
    await play(api.world)
    shown = await api.expect(200, "PUT", SHADOW, json={"mapping": {"audiences": ["a"]}})
    assert (shown["live"]["exports"], shown["candidate"]["exports"]) == (0, 0)


async def test_whoever_is_second_is_told(api: Api) -> None:
    tag = (await api.put(SHADOW, json={"mapping": CANDIDATE}, headers={"If-None-Match": "*"})).headers["etag"]
    await api.expect(412, "PUT", SHADOW, json={"mapping": CANDIDATE}, headers={"If-None-Match": "*"})
    await api.expect(200, "PUT", PATH, json={"audiences": ["a", "c"]})
    for method, path in (("POST", f"{SHADOW}/make-live"), ("DELETE", SHADOW)):
        await api.expect(412, method, path, headers={"If-Match": tag})
    assert (await api.expect(200, "GET", SHADOW))["removals"] == [
        "removes the audience ups/c from what d's consumers read"
    ]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"mapping": {}, "hours": 0}, "/hours"),
        ({"mapping": {}, "hours": 169}, "/hours"),
        ({"mapping": {}, "hours": "1"}, "/hours"),
        ({}, "/mapping"),
        ({"mapping": {"audiences": ["a", "a"]}}, "repeats"),
        ({"mapping": {"attributes": ["a[0]"]}}, "/mapping/attributes/0"),
        ({"mapping": {"id": "e"}}, "/id"),
        ({"mapping": {}, "days": 1}, "/days"),
    ],
)
async def test_what_cannot_be_tried(api: Api, asked: dict[str, Any], told: str) -> None:
    problem = await api.expect(422, "PUT", SHADOW, json=asked)
    assert any(told in line for line in problem.get("errors", [problem["detail"]]))
    await api.expect(404, "GET", SHADOW)


async def test_only_a_dataflow_that_there_is(api: Api) -> None:
    await api.expect(404, "PUT", "/api/dataflows/none/shadow", json={"mapping": {}})
    await api.expect(404, "GET", "/api/dataflows/none/shadow")


async def test_the_audit_log_names_what_was_done(api: Api) -> None:
    await api.expect(201, "PUT", SHADOW, json={"mapping": CANDIDATE})
    await api.expect(200, "POST", f"{SHADOW}/make-live")
    details = [entry.details for entry in api.world.audit.entries.values()]
    assert ["shadow of dataflow d begun for 24 hours"] in details
    assert any(each[:2] == ["shadow of dataflow d made live", "dataflow d changed"] for each in details)
