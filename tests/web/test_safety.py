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
        (400, b"\xff\xfe", JSON, "expected UTF-8"),
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
    "headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}]
)
async def test_a_page_of_another_site_changes_nothing(api: Api, headers: dict[str, str]) -> None:
    await api.expect(403, "POST", f"{PATH}/pause", headers=headers)
    assert (await api.expect(200, "GET", PATH))["enabled"]


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "same-origin", "origin": BASE_URL}, {"sec-fetch-site": "none"}])
async def test_a_page_of_this_site_does(api: Api, headers: dict[str, str]) -> None:
    await api.expect(200, "POST", f"{PATH}/pause", headers=headers)


async def test_who_changed_what_when_is_noted(api: Api) -> None:
    await api.expect(200, "PUT", f"{PATH}?code=secret&x=1", json={"audiences": ["a", "b"]})
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
