"""How many profiles are in audiences, and what a mapping will come to, over the API and on a page."""

import json

import pytest

from shared.web.permissions import Permission
from tests.kit.api import Api
from tests.kit.builders import item, membership
from tests.kit.console import Console
from tests.kit.world import World

_JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def world() -> World:
    """Three are in a and one in b, which nobody maps, when the sweep counts; then one enters a, and one leaves it."""
    world = World()
    for name in ("p", "q", "r"):
        await world.handle(item(name, 1, segmentMembership=membership(1)), message_id=name)
    await world.handle(item("p", 2, segmentMembership=membership(2, audience="b")), message_id="b")
    await world.clock.sleep(3600)
    await world.worker.runs.flush()
    await world.worker.plan_backfills.sweep()
    await world.run_backfills()
    await world.run_backfills()
    await world.handle(item("s", 3, segmentMembership=membership(3)), message_id="in")
    await world.handle(item("q", 3, segmentMembership=membership(3, "exited")), message_id="out")
    await world.handle(item("t", 3, segmentMembership=membership(3)), message_id="in-2")
    await world.worker.runs.flush()
    return world


async def test_the_catalog_says_how_many_are_in_each(api: Api) -> None:
    await api.expect(201, "PUT", "/api/audiences/a", json={"name": "Loyal", "mergePolicyId": "m"})
    expected = {"members": 4, "countedAt": "2026-01-11T22:50:00Z", "enteredSince": 2, "leftSince": 1}
    (listed,) = (await api.expect(200, "GET", "/api/audiences"))["audiences"]
    answer = await api.get("/api/audiences/a")
    assert listed == answer.json()
    assert {name: listed[name] for name in expected} == expected
    sent_back = await api.put("/api/audiences/a", json=listed, headers={"If-Match": answer.headers["ETag"]})
    assert (sent_back.status_code, sent_back.headers["ETag"]) == (200, answer.headers["ETag"])
    assert "members" not in sent_back.json()


async def test_counts_over_time_by_destination_and_audience(api: Api) -> None:
    answer = await api.expect(200, "GET", "/api/audience-counts")
    (a,) = answer["audiences"]
    assert answer["memberships"] == a["members"] == 4
    assert (a["name"], a["destinations"], a["text"]) == (None, ["d", "e"], "about 3, counted 22:50, +1 since")
    since = {"since": "2026-01-11T22:50:00Z", "entered": 2, "left": 1}
    assert a["sinceCounted"] == since
    assert a["week"] == {"since": "2026-01-10T22:50:00Z", "entered": 5, "left": 1}
    assert a["days"] == [{"at": "2026-01-11T22:50:00Z", "members": 3, "entered": 3, "left": 0}]
    assert await api.expect(200, "GET", "/api/audience-counts?destination=e&audience=a") == answer
    nothing = {"audiences": [], "memberships": 0}
    assert await api.expect(200, "GET", "/api/audience-counts?audience=b") == nothing
    await api.expect(404, "GET", "/api/audience-counts?destination=x")
    await api.expect(422, "GET", "/api/audience-counts?destination=X")


async def test_a_mapping_is_estimated_before_it_is_saved(api: Api, world: World) -> None:
    before = (await world.configuration.load()).configuration
    mapping = {"audiences": ["a", "b"], "attributes": ["/x"]}
    answer = await api.expect(200, "POST", "/api/dataflows/d/estimate", json=mapping)
    assert [(each["id"], each["members"]) for each in answer["audiences"]] == [("a", 4), ("b", 1)]
    backfill = answer["backfill"]
    assert (backfill["audiences"], backfill["uncounted"]) == ([{"id": "b", "namespace": "ups"}], [])
    assert (backfill["events"], backfill["throughputUnits"], backfill["measured"]) == (1, 1, True)
    assert backfill["text"].startswith("up to 1 event, less than a minute at 500 a second, 1 throughput unit, less")
    same = {"audiences": ["a"], "attributes": ["/x"]}
    assert (await api.expect(200, "POST", "/api/dataflows/d/estimate", json=same))["backfill"] is None
    await api.expect(422, "POST", "/api/dataflows/d/estimate", json=mapping | {"id": "e"})
    await api.expect(404, "POST", "/api/dataflows/x/estimate", json=mapping)
    assert (await world.configuration.load()).configuration == before
    assert not world.audit.entries


async def test_a_dry_run_estimates_what_it_would_backfill(api: Api) -> None:
    file = await api.expect(200, "GET", "/api/config")
    (d,) = [each for each in file["dataflows"] if each["id"] == "d"]
    d["audiences"].append({"id": "b"})
    plan = await api.expect(200, "PUT", "/api/config?dry-run=true", content=json.dumps(file), headers=_JSON)
    assert [(each["destination"], each["events"]) for each in plan["estimates"]] == [("d", 1)]
    applied = await api.expect(200, "PUT", "/api/config", content=json.dumps(file), headers=_JSON)
    assert applied["estimates"] == plan["estimates"]


async def test_the_page_says_who_maps_an_audience_and_who_is_in_it(api: Api, world: World) -> None:
    await api.expect(201, "PUT", "/api/audiences/b", json={"name": "Big <spenders>", "mergePolicyId": "m"})
    async with Console(world) as console:
        content = await console.page("/console/audiences")
        assert "a not in the catalog D , E 4 counted 22:50, +1 since from the second sweep on" in content
        assert "Big <spenders> ups/b no one 1 counted 22:50 " in content
        assert 'href="/console/destinations/e"' in (await console.get("/console/audiences")).text
        searched = await console.page("/console/audiences?q=spend")
        assert "not in the catalog" not in searched
        assert "No audience is like that" in await console.page("/console/audiences?q=nothing+like+it")
        assert "spenders" not in await console.page("/console/audiences?destination=d&sort=members")
    for _ in range(2):
        await world.clock.sleep(86_400)
        await world.worker.plan_backfills.sweep()
        await world.run_backfills()
        await world.run_backfills()
    async with Console(world, {Permission.VIEW_SEGMENTS}) as console:
        content = (await console.get("/console/audiences?sort=change")).text
        assert 'aria-label="3 members on the first of 3 days, 4 on the last"' in content
        assert 'href="/console/destinations/e"' not in content


async def test_many_audiences_are_shown_page_by_page(api: Api, world: World) -> None:
    file = await api.expect(200, "GET", "/api/config")
    file["audiences"] = [
        {"id": f"n{number:03}", "name": f"N {number:03}", "mergePolicyId": "m"} for number in range(150)
    ]
    await api.expect(200, "PUT", "/api/config", content=json.dumps(file), headers=_JSON)
    async with Console(world) as console:
        first = (await console.get("/console/audiences?q=n")).text
        assert first.count("<tr data-key=") == 100
        assert "/console/audiences?q=n&amp;skip=100" in first
        second = (await console.get("/console/audiences?q=n&skip=100")).text
        assert second.count("<tr data-key=") == 50


async def test_without_audiences_the_page_says_where_they_come_from() -> None:
    world = World()
    async with Api(world) as api:
        file: dict[str, list[str]] = {"audiences": [], "destinations": [], "dataflows": []}
        await api.expect(200, "PUT", "/api/config?prune=true", content=json.dumps(file), headers=_JSON)
    async with Console(world) as console:
        assert "There are no audiences yet" in await console.page("/console/audiences")
