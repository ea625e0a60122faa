"""Profiles over the API: looked up, and what a change of one would export."""

import pytest

from shared.domain.profile_key import profile_key
from tests.kit.api import Api
from tests.kit.builders import at, item, membership

ODD_ID = "a/b?c#d%2F' or '1 ü😀"


@pytest.mark.parametrize("profile_id", ["p", ODD_ID, "x" * 2_000])
async def test_a_profile_is_looked_up(api: Api, profile_id: str) -> None:
    await api.expect(404, "POST", "/api/profiles/lookup", json={"profileId": profile_id})
    api.world.break_down("d")
    await api.world.handle(item(profile_id, 1, segmentMembership=membership(1), attributes={"x": {"y": [1, None]}}))
    found = await api.expect(200, "POST", "/api/profiles/lookup", json={"profileId": profile_id})
    assert (found["profileId"], found["profileKey"]) == (profile_id, profile_key(profile_id))
    assert found["attributes"] == {"x": {"y": [1, None]}}
    assert found["segmentMembership"]["ups"]["a"] == {
        "status": "realized",
        "lastQualificationTime": at(1),
        "occurredAt": at(1),
    }
    assert [(row["destinationId"], row["state"]) for row in found["undelivered"]] == [("d", "retrying")]
    assert {each["destinationId"]: (each["reasons"], each["item"], each["waits"]) for each in found["told"]} == {
        "d": (["audience", "attribute"], "m:0", True),
        "e": (["audience"], "m:0", False),
    }
    assert {each["profileVersion"] for each in found["told"]} == {found["profileVersion"]}
    assert found["quarantined"] == []


async def test_who_looked_is_noted_but_not_at_whom(api: Api) -> None:
    await api.world.handle(item("secret", 1, segmentMembership=membership(1)))
    await api.expect(200, "POST", "/api/profiles/lookup", json={"profileId": "secret"})
    (entry,) = api.world.audit.entries.values()
    assert (entry.who, entry.what) == ("ann@example.com", "POST /api/profiles/lookup")
    assert "secret" not in repr(entry)


async def test_a_dry_run_says_who_would_hear_and_why_not(api: Api) -> None:
    change = {"occurredAt": at(2), "segmentMembership": membership(1), "attributes": {"x": 1}}
    run = await api.expect(200, "POST", "/api/profiles/dry-run", json={"profileId": "p", "change": change})
    to_d, to_e = run["destinations"]
    assert (to_d["outcome"], to_d["export"]["reasons"], to_d["why"]) == ("sent", ["audience", "attribute"], [])
    assert to_d["export"]["body"]["segmentMembership"]["ups"]["a"]["status"] == "realized"
    assert (to_e["export"]["reasons"], run["altered"]) == (["audience"], True)
    assert (api.world.profiles.rows, api.world.sender.sent) == ({}, [])

    await api.world.handle({"profileId": "p", **change})
    assert [export.message_id for export in api.world.sender.sent] == [
        each["export"]["messageId"] for each in run["destinations"]
    ]
    again = await api.expect(200, "POST", "/api/profiles/dry-run", json={"profileId": "p", "change": change})
    assert {tuple(each["why"]) for each in again["destinations"]} == {("stale or duplicate",)}
    standing = await api.expect(200, "POST", "/api/profiles/dry-run", json={"profileId": "p"})
    assert [each["realizedIn"] for each in standing["destinations"]] == [[{"namespace": "ups", "id": "a"}]] * 2


async def test_what_would_go_to_quarantine_says_why(api: Api) -> None:
    asked = {"profileId": "p", "change": {"occurredAt": "today", "attributes": 3}}
    run = await api.expect(200, "POST", "/api/profiles/dry-run", json=asked)
    assert run["destinations"] == []
    assert run["problems"] == [
        "/occurredAt: expected a date and time with a zone, such as 2026-01-11T21:24:39Z",
        "/attributes: expected an object",
    ]


@pytest.mark.parametrize("body", [{}, {"profileId": ""}, {"profileId": 1}, {"profileId": "x" * 2_001}, {"id": "p"}])
async def test_a_question_about_nobody(api: Api, body: object) -> None:
    for route in ("lookup", "dry-run"):
        await api.expect(422, "POST", f"/api/profiles/{route}", json=body)
