"""Dataflows over the API: mapped, replaced, paused, resumed, removed."""

import json

from shared.domain.configuration.model import AS_STORED, Configuration
from tests.kit.api import Api
from tests.kit.builders import item, membership
from tests.kit.console import Console

PATH = "/api/dataflows/d"


async def test_a_mapping_is_dated_and_backfilled(api: Api) -> None:
    written = {"audiences": ["a", {"id": "b", "namespace": "x"}], "attributes": ["person.name", "/x"]}
    answer = await api.put(PATH, json=written)
    assert answer.status_code == 200
    dataflow = answer.json()
    assert dataflow["attributes"] == ["/person/name", "/x"]
    new = next(each for each in dataflow["audiences"] if each["id"] == "b")
    assert new["mappingCreatedAt"] == new["mappingUpdatedAt"] == api.world.clock() // 1000
    assert dataflow["warnings"] == ["dataflow d: maps audiences that are not in the catalog: ups/a, x/b"]
    (backfill,) = (await api.expect(200, "GET", "/api/backfills"))["backfills"]
    assert (backfill["destination"], backfill["state"]) == ("d", "waiting")
    assert backfill["audiences"] == [{"namespace": "x", "id": "b", "name": "", "since": None}]
    assert (backfill["standstill"]["reason"], backfill["standstill"]["since"]) == ("not-due", None)
    assert (await api.get(PATH)).headers["etag"] == answer.headers["etag"]


async def test_what_was_read_can_be_sent_back(api: Api) -> None:
    answer = await api.get(PATH)
    again = await api.put(PATH, json=answer.json(), headers={"If-Match": answer.headers["etag"]})
    assert (again.status_code, again.json()) == (200, answer.json())
    assert (await api.expect(200, "GET", "/api/backfills"))["backfills"] == []


async def test_what_an_earlier_release_took_is_shown_paused_and_mended(api: Api, console: Console) -> None:
    """But not written anew: no attribute lies so deep."""
    stored = await api.world.configuration.load()
    document = json.loads(stored.configuration.model_dump_json(by_alias=True))
    deep = "/a" * 64
    document["dataflows"][0] |= {"attributes": [deep, "/x"], "consent": "/c" * 300}
    old = Configuration.model_validate_json(json.dumps(document), context=AS_STORED)
    await api.world.configuration.save(old, stored.etag)
    shown = await api.expect(200, "GET", PATH)
    assert shown["attributes"] == [deep, "/x"]
    assert shown in (await api.expect(200, "GET", "/api/dataflows"))["dataflows"]
    for path in ("", "/mapping", "/exports", "/contract", "/settings"):
        await console.page(f"/console/destinations/d{path}")
    assert not (await api.expect(200, "POST", f"{PATH}/pause"))["enabled"]
    assert (await api.expect(200, "POST", f"{PATH}/resume"))["enabled"]
    await api.expect(422, "PUT", PATH, json=shown)
    assert (await api.expect(200, "PUT", PATH, json=shown | {"attributes": ["/x"], "consent": None}))["consent"] is None


async def test_a_dataflow_may_ask_for_consent(api: Api) -> None:
    written = {"audiences": ["a"], "consent": "consents.marketing.email.val"}
    assert (await api.expect(200, "PUT", PATH, json=written))["consent"] == "/consents/marketing/email/val"
    assert (await api.expect(200, "GET", "/api/backfills"))["backfills"] == []
    problem = await api.expect(422, "PUT", PATH, json=written | {"consent": "consents[0]"})
    assert problem["errors"][0].startswith("/consent: expected a path that ends at the array")
    assert (await api.expect(200, "PUT", PATH, json={"audiences": ["a"]}))["consent"] is None


async def test_an_audience_may_be_scheduled_and_an_old_schedule_is_pointed_out(api: Api) -> None:
    now_ms = api.world.clock() // 1000
    scheduled = {"id": "b", "activeFrom": now_ms + 60_000, "activeUntil": now_ms + 120_000}
    written = {"audiences": ["a", scheduled]}
    audience = (await api.expect(200, "PUT", PATH, json=written))["audiences"][1]
    assert (audience["activeFrom"], audience["mappingCreatedAt"]) == (now_ms + 60_000, None)
    assert (await api.expect(200, "GET", "/api/backfills"))["backfills"] == []
    await api.world.clock.sleep(60)
    assert await api.world.worker.turn_schedules.run()
    audience = (await api.expect(200, "GET", PATH))["audiences"][1]
    assert audience["mappingCreatedAt"] == now_ms + 60_000
    (backfill,) = (await api.expect(200, "GET", "/api/backfills"))["backfills"]
    assert [each["id"] for each in backfill["audiences"]] == ["b"]
    await api.world.clock.sleep(60)
    shown = await api.expect(200, "GET", PATH)
    assert "count as unmapped: ups/b since" in shown["warnings"][-1]
    assert "ups/b since" in (await api.expect(200, "GET", "/api/dataflows"))["dataflows"][0]["warnings"][-1]
    refused = {"audiences": [scheduled | {"activeUntil": now_ms}]}
    problem = await api.expect(422, "PUT", PATH, json=refused)
    assert "expected activeUntil to be later than activeFrom" in problem["errors"][0]
    await api.expect(422, "PUT", PATH, json={"audiences": [{"id": "b", "activeUntil": 10**18}]})


async def test_whoever_is_second_is_told(api: Api) -> None:
    etag = (await api.get(PATH)).headers["etag"]
    await api.expect(200, "PUT", PATH, json={"audiences": ["a", "b"]}, headers={"If-Match": etag})
    problem = await api.expect(412, "PUT", PATH, json={"audiences": ["c"]}, headers={"If-Match": etag})
    assert "read it again" in problem["detail"]
    await api.expect(412, "DELETE", PATH, headers={"If-Match": etag})
    await api.expect(412, "POST", f"{PATH}/pause", headers={"If-Match": etag})
    assert len((await api.expect(200, "GET", PATH))["audiences"]) == 2


async def test_only_one_of_two_creates_it(api: Api) -> None:
    await api.expect(204, "DELETE", PATH)
    await api.expect(404, "GET", PATH)
    await api.expect(201, "PUT", PATH, json={"audiences": ["a"]}, headers={"If-None-Match": "*"})
    await api.expect(412, "PUT", PATH, json={"audiences": ["b"]}, headers={"If-None-Match": "*"})


async def test_pause_and_resume(api: Api) -> None:
    assert not (await api.expect(200, "POST", f"{PATH}/pause"))["enabled"]
    assert not (await api.expect(200, "POST", f"{PATH}/pause"))["enabled"]
    assert (await api.expect(200, "POST", f"{PATH}/resume"))["enabled"]
    (backfill,) = (await api.expect(200, "GET", "/api/backfills"))["backfills"]
    assert (await api.expect(200, "POST", f"/api/backfills/{backfill['id']}/cancel"))["state"] == "cancelled"
    assert (await api.expect(200, "GET", f"/api/backfills/{backfill['id']}"))["note"] == "cancelled on request"
    await api.expect(404, "POST", "/api/backfills/nobody/cancel")


async def test_members_are_exported_again(api: Api) -> None:
    await api.world.handle(item("p", 1, segmentMembership=membership(1)))
    api.world.sender.sent.clear()
    asked = {"scope": {"type": "audience", "id": "a"}, "idempotencyKey": "k"}
    answer = await api.post(f"{PATH}/resyncs", json=asked)
    resync = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/backfills/{resync['id']}")
    assert (resync["kind"], resync["destination"], resync["state"]) == ("resync", "d", "running")
    assert resync["resync"] == {"scope": "audience", "since": None, "first": None, "last": None, "profiles": None}
    assert resync["audiences"] == [{"namespace": "ups", "id": "a", "name": "", "since": None}]
    assert (await api.expect(200, "POST", f"{PATH}/resyncs", json=asked))["id"] == resync["id"]
    problem = await api.expect(409, "POST", f"{PATH}/resyncs", json={"scope": {"type": "everything"}})
    assert f"the resync '{resync['id']}' of this dataflow has not ended" in problem["detail"]
    await api.world.work_slices()
    assert [(each.destination.id, each.reasons) for each in api.world.sender.sent] == [("d", ("resync",))]
    shown = await api.expect(200, "GET", f"/api/backfills/{resync['id']}")
    assert (shown["progress"]["exported"], shown["progress"]["share"]) == (1, 1.0)
    await api.expect(200, "POST", f"/api/backfills/{resync['id']}/cancel")
    notes = [entry.details for entry in api.world.audit.entries.values() if "resyncs" in entry.what]
    assert [f"resync {resync['id']} requested"] in notes


async def test_a_resync_of_what_is_none(api: Api) -> None:
    await api.expect(404, "POST", "/api/dataflows/nobody/resyncs", json={"scope": {"type": "everything"}})
    for scope, problem in (
        ({"type": "all"}, "/scope: expected its type to be one of 'everything', 'audience'"),
        ({"type": "audience", "id": "b"}, "/scope/id: expected an audience that the dataflow maps"),
        ({"type": "key-range", "first": "x", "last": "f"}, "/scope/first: expected a name that matches"),
        ({"type": "profiles", "profileIds": ["p"] * 10_001}, "/scope/profileIds: expected at most 10,000 of them"),
        ({"type": "saved-since", "since": "yesterday"}, "/scope/since: expected a date and time with a zone"),
    ):
        (error,) = (await api.expect(422, "POST", f"{PATH}/resyncs", json={"scope": scope}))["errors"]
        assert error.startswith(problem)


async def test_a_dataflow_needs_a_destination(api: Api) -> None:
    problem = await api.expect(422, "PUT", "/api/dataflows/nobody", json={"audiences": ["a"]})
    assert "expected the id of a destination, got 'nobody'" in problem["detail"]
    await api.expect(404, "POST", "/api/dataflows/nobody/pause")


async def test_what_is_wrong_is_said_field_by_field(api: Api) -> None:
    written = {"audiences": [{"id": 7}], "attributes": ["a", "/a"], "trigers": {}}
    problem = await api.expect(422, "PUT", PATH, json=written)
    assert problem["errors"] == [
        "/audiences/0/id: expected a string",
        "/trigers: expected no such field (is its name misspelt?)",
    ]
    problem = await api.expect(422, "PUT", PATH, json={"audiences": ["a"], "attributes": ["a", "/a"]})
    assert "attributes/1 repeats /a" in problem["detail"]
    await api.expect(422, "PUT", PATH, json={"id": "e", "audiences": ["a"]})


async def test_guardrails_warn(api: Api) -> None:
    written = {"audiences": [f"a{n}" for n in range(251)], "attributes": [f"/x/y{n}" for n in range(51)]}
    warnings = (await api.expect(200, "PUT", PATH, json=written))["warnings"]
    assert "dataflow d: 251 audiences; the app is sized for 250" in warnings
    assert "dataflow d: 51 attributes; the app is sized for 50" in warnings
