"""What a request can't do: crash the app, come from another site, smuggle anything into a query, leave no trace."""

import json
from collections.abc import Mapping

import pytest

from shared.errors import ConflictError, StorageError
from shared.ports.configuration import StoredConfiguration
from tests.kit.api import BASE_URL, Api
from tests.kit.world import World

PATH = "/api/dataflows/d"
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("status", "body", "headers", "detail"),
    [
        (413, b"[" + b" " * 10_000_000 + b"]", JSON, "at most 1,048,576 bytes"),
        (400, b"[" * 10_000 + b"]" * 10_000, JSON, "levels of nesting"),
        (400, b'{"a":' * 500 + b"1" + b"}" * 500, JSON, "at most 64 levels"),
        (400, b'{"audiences": ["a"', JSON, "expected JSON"),
        (400, b"\xff\xfe", JSON, "expected UTF-8, byte 0 is none"),
        (400, "{}".encode("utf-16"), JSON, "expected UTF-8, byte 0 is none"),
        (415, b"\x1f\x8b\x08", JSON | {"content-encoding": "gzip"}, "without Content-Encoding"),
        (415, b"{}", JSON | {"content-encoding": "identity, br"}, "without Content-Encoding"),
        (411, b"", JSON | {"transfer-encoding": "chunked"}, "send it whole, with its Content-Length"),
        (411, b"", {"transfer-encoding": "gzip, Chunked"}, "send it whole, with its Content-Length"),
        (400, b'{"x": NaN}', JSON, "got NaN"),
        (400, b'{"id": "\\ud800"}', JSON, "half of a surrogate pair"),
        (415, b"<a/>", {"content-type": "application/xml"}, "expected Content-Type: application/json"),
        (415, b"{}", {}, "expected Content-Type"),
        (422, b"", JSON, "missing"),
        (422, b"[]", JSON, "expected an object"),
        (422, b'{"audiences": null}', JSON, "/audiences: expected an array"),
    ],
    ids=lambda value: str(value)[:12] if not isinstance(value, Mapping) else "",
)
async def test_a_body_that_is_none(api: Api, status: int, body: bytes, headers: dict[str, str], detail: str) -> None:
    problem = await api.expect(status, "PUT", PATH, content=body, headers=headers)
    assert detail in problem["detail"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b" \r\n"])
async def test_what_editors_put_before_a_body_is_no_part_of_it(api: Api, mark: bytes) -> None:
    body = mark + json.dumps({"audiences": ["ä"]}, ensure_ascii=False).encode()
    headers = JSON | {"content-encoding": "identity"}
    answer = await api.expect(200, "PUT", PATH, content=body, headers=headers)
    assert [each["id"] for each in answer["audiences"]] == ["ä"]


async def test_a_body_that_is_refused_for_its_encoding_says_which_would_do(api: Api) -> None:
    answer = await api.put(PATH, content=b"\x1f\x8b", headers=JSON | {"content-encoding": "gzip"})
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")


@pytest.mark.parametrize("path", [PATH, "/api/config", "/api/openapi.json", "/api/nothing", "/console", "/api/audit"])
async def test_head_is_answered_as_get_without_a_body(api: Api, path: str) -> None:
    await api.get(path)  # whose answer may set a cookie
    got, head = await api.get(path), await api.head(path)
    assert (head.status_code, dict(head.headers), head.content) == (got.status_code, dict(got.headers), b"")
    assert got.content


@pytest.mark.parametrize("audience", ["o'hara", "a' or PartitionKey ne '", "100%", "ü/../x", "a\x00b", "<script>"])
async def test_any_id_is_just_a_name(api: Api, audience: str) -> None:
    await api.expect(200, "PUT", PATH, json={"audiences": [audience]})
    assert [each["id"] for each in (await api.expect(200, "GET", PATH))["audiences"]] == [audience]


@pytest.mark.parametrize(
    "path", ["/api/dataflows/d'%20or%20'1", "/api/dataflows/D", "/api/backfills/%27", "/api/dataflows/%00"]
)
async def test_an_id_that_can_be_none_is_refused(api: Api, path: str) -> None:
    assert "expected a name that matches" in (await api.expect(422, "GET", path))["detail"]


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/dataflows/", "/api/dataflows/d/e", "/"])
async def test_a_path_that_leads_nowhere(api: Api, path: str) -> None:
    await api.expect(404, "GET", path)


async def test_a_method_that_is_none(api: Api) -> None:
    answer = await api.post(PATH)
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "http://["},
    ],
)
async def test_a_page_of_another_site_changes_nothing(api: Api, headers: dict[str, str]) -> None:
    await api.expect(403, "POST", f"{PATH}/pause", headers=headers)
    assert (await api.expect(200, "GET", PATH))["enabled"]


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "same-origin", "origin": BASE_URL}, {"sec-fetch-site": "none"}])
async def test_a_page_of_this_site_does(api: Api, headers: dict[str, str]) -> None:
    await api.expect(200, "POST", f"{PATH}/pause", headers=headers)


PUBLIC = "https://relay.contoso.com"
BEHIND = {"sec-fetch-site": "same-origin", "origin": PUBLIC, "x-forwarded-host": "relay.contoso.com"}


async def test_behind_a_front_door_the_public_address_has_to_be_named(world: World) -> None:
    async with Api(world) as api:
        refused = await api.expect(403, "POST", f"{PATH}/pause", headers=BEHIND)
    assert "PUBLIC_ORIGINS" in refused["detail"]
    async with Api(world, public_origins=[PUBLIC]) as api:
        await api.expect(200, "POST", f"{PATH}/pause", headers=BEHIND)
        await api.expect(200, "POST", f"{PATH}/resume", headers={"origin": BASE_URL})
        for foreign in (
            {"origin": f"{PUBLIC}.evil.example"},
            BEHIND | {"sec-fetch-site": "same-site"},
            {"origin": "null"},
        ):
            await api.expect(403, "POST", f"{PATH}/pause", headers=foreign)
        await api.expect(403, "POST", f"{PATH}/pause", headers={"origin": PUBLIC.replace("https", "http")})


async def test_a_form_behind_a_front_door_is_taken_by_the_same_setting(world: World) -> None:
    form, path = {"nothing": ""}, "/console/destinations/d/pause"
    async with Api(world, public_origins=[PUBLIC]) as api:
        assert (await api.post(path, data=form, headers=BEHIND)).status_code == 303
        assert (await api.post(path, data=form, headers={"origin": PUBLIC})).status_code == 303
    async with Api(world) as api:
        refused = await api.post(path, data=form, headers=BEHIND)
    assert (refused.status_code, "PUBLIC_ORIGINS" in refused.text) == (403, True)


async def test_who_changed_what_when_is_noted(api: Api) -> None:
    await api.expect(200, "PUT", f"{PATH}?code=secret&x=1&Code=secret&%43ODE=secret", json={"audiences": ["a", "b"]})
    api.world.clock.now += 1
    await api.expect(422, "PUT", PATH, json={"audiences": 1})
    page = await api.expect(200, "GET", "/api/audit")
    refused, done = page["entries"]
    assert (done["who"], done["what"], done["status"]) == ("ann@example.com", f"PUT {PATH}?x=1", 200)
    assert done["details"] == ["dataflow d changed", "backfill d-2 requested"]
    assert (refused["status"], refused["details"]) == (422, ["/audiences: expected an array"])
    assert page["next"] is None
    older = await api.expect(200, "GET", "/api/audit?limit=1")
    assert older["entries"] == [refused]
    assert (await api.expect(200, "GET", f"/api/audit?before={older['next']}"))["entries"] == [done]


async def test_what_cannot_be_noted_is_not_done(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(_entry: object) -> None:
        raise StorageError("table Audit: could not insert: HTTP 503")

    monkeypatch.setattr(api.world.audit, "begin", failing)
    answer = await api.post(f"{PATH}/pause")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (await api.expect(200, "GET", PATH))["enabled"]


async def test_storage_that_fails_and_what_nobody_expected(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    failure: Exception = StorageError("table Configuration: could not read: HTTP 503")

    async def failing() -> StoredConfiguration:
        raise failure

    monkeypatch.setattr(api.world.configuration, "load", failing)
    assert "could not read" in (await api.expect(503, "GET", PATH))["detail"]
    failure = RuntimeError("secret")
    for method, path in (("GET", PATH), ("POST", f"{PATH}/pause")):
        problem = await api.expect(500, method, path)
        assert "secret" not in json.dumps(problem)
    assert [entry.status for entry in api.world.audit.entries.values()] == [500]


async def test_others_who_keep_changing_it_end_in_a_conflict(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def conflicting(*_: object) -> None:
        raise ConflictError("table Configuration: somebody else saved the row first")

    monkeypatch.setattr(api.world.configuration, "save", conflicting)
    await api.expect(409, "POST", f"{PATH}/pause")


async def test_a_change_that_fits_any_revision_survives_somebody_elses(world: World) -> None:
    """The edit is made anew on what somebody else saved in between."""
    async with Api(world) as api:
        load = world.configuration.load

        async def overtaken() -> StoredConfiguration:
            stored = await load()
            world.configuration.load = load  # type: ignore[method-assign]
            await api.expect(200, "PUT", "/api/dataflows/e", json={"audiences": ["c"]})
            return stored

        world.configuration.load = overtaken  # type: ignore[method-assign]
        await api.expect(200, "POST", f"{PATH}/pause")
        assert [each["id"] for each in (await api.expect(200, "GET", "/api/dataflows/e"))["audiences"]] == ["c"]
