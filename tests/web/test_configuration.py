"""The catalog, the destinations' details, and the whole configuration as one file."""

from typing import Any

from tests.kit.api import Api

AUDIENCE = "/api/audiences/a"


async def test_the_catalog(api: Api) -> None:
    assert await api.expect(200, "GET", "/api/audiences") == {"audiences": [], "warnings": []}
    now = api.world.clock() // 1000
    created = await api.expect(201, "PUT", AUDIENCE, json={"name": "A", "mergePolicyId": "default"})
    assert (created["createdAt"], created["updatedAt"], created["namespace"]) == (now, now, "ups")
    api.world.clock.now += 1_000_000
    changed = await api.expect(200, "PUT", AUDIENCE, json={"name": "B"})
    assert (changed["createdAt"], changed["updatedAt"]) == (now, now + 1000)
    other = await api.expect(201, "PUT", f"{AUDIENCE}?namespace=uploads", json={"origin": "custom-upload"})
    uncounted = {"members": None, "countedAt": None, "enteredSince": 0, "leftSince": 0}
    assert await api.expect(200, "GET", f"{AUDIENCE}?namespace=uploads") == other | uncounted
    problem = await api.expect(409, "DELETE", AUDIENCE)
    assert "mapped by the dataflow d, e" in problem["detail"]
    await api.expect(204, "DELETE", f"{AUDIENCE}?namespace=uploads")
    await api.expect(404, "DELETE", f"{AUDIENCE}?namespace=uploads")
    await api.expect(422, "PUT", AUDIENCE, json={"id": "b"})
    await api.expect(422, "PUT", AUDIENCE, json={"namespace": "b"})


async def test_a_destinations_details(api: Api) -> None:
    destination = await api.expect(200, "GET", "/api/destinations/d")
    assert destination["health"]["state"] == "healthy"
    changed = await api.expect(200, "PUT", "/api/destinations/d", json=destination | {"includeSegmentNames": True})
    assert changed == destination | {"includeSegmentNames": True}
    problem = await api.expect(422, "PUT", "/api/destinations/d", json=destination | {"connection": "OTHER"})
    assert "/connection: expected it as it is" in problem["detail"]
    await api.expect(404, "PUT", "/api/destinations/x", json={"name": "X", "eventHubName": "x"})
    listed = await api.expect(200, "GET", "/api/destinations")
    assert [each["id"] for each in listed["destinations"]] == ["d", "e"]


async def test_a_destination_goes_with_its_dataflow(api: Api) -> None:
    await api.expect(204, "DELETE", "/api/destinations/d")
    assert [each["id"] for each in (await api.expect(200, "GET", "/api/dataflows"))["dataflows"]] == ["e"]
    await api.expect(404, "GET", "/api/destinations/d")
    assert (await api.world.health.load())["d"].error == "removed"


async def test_configuration_as_code(api: Api) -> None:
    answer = await api.get("/api/config")
    file: dict[str, Any] = answer.json()
    unchanged = await api.expect(200, "PUT", "/api/config", json=file)
    assert {change["action"] for change in unchanged["changes"]} == {"unchanged"}
    file["audiences"] = [{"id": "new"}]
    file["dataflows"] = [file["dataflows"][0] | {"audiences": ["a", "new"]}]
    shown = await api.expect(200, "PUT", "/api/config?dry-run=true&prune=true", json=file)
    assert shown["dryRun"]
    assert await api.expect(200, "GET", "/api/config") == answer.json()
    etag = answer.headers["etag"]
    done = await api.expect(200, "PUT", "/api/config?prune=true", json=file, headers={"If-Match": etag})
    assert done == shown | {"dryRun": False}
    actions = {(change["kind"], change["id"]): change["action"] for change in done["changes"]}
    assert actions["audience", "ups/new"] == "created"
    assert (actions["dataflow", "d"], actions["dataflow", "e"]) == ("changed", "removed")
    assert [backfill["destination"] for backfill in done["backfills"]] == ["d"]
    await api.expect(412, "PUT", "/api/config", json=file, headers={"If-Match": etag})
