"""Uploads over the API: posted at once, or created, written and committed; and what is refused."""

from collections.abc import AsyncIterator
from html import unescape

import pytest

from shared.domain.backfills.csv_records import RECORD_LIMIT
from shared.domain.instants import MINUTE, format_instant
from tests.kit.api import Api
from tests.kit.builders import NOW
from tests.kit.console import Console, fields_of, text_of
from tests.kit.world import World

AUDIENCE = "/api/audiences/list"
UPLOADS = f"{AUDIENCE}/uploads"
CSV = {"Content-Type": "text/csv; charset=utf-8"}


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with Api(world) as client:
        await client.expect(201, "PUT", AUDIENCE, json={"origin": "custom-upload"})
        yield client


async def test_a_small_file_is_posted(api: Api) -> None:
    upload = await api.expect(202, "POST", f"{AUDIENCE}/members", content=b"profileId\np\n,\n", headers=CSV)
    assert (upload["state"], upload["bytes"], upload["audience"]["id"]) == ("running", 14, "list")
    await api.world.run_backfills()
    await api.world.run_backfills()
    done = await api.expect(200, "GET", f"{UPLOADS}/{upload['id']}")
    assert (done["state"], done["accepted"], done["bad"]) == ("done", 1, 1)
    assert done["badLines"] == [{"line": 3, "reason": "expected 1 fields as in the header, got 2"}]
    assert (await api.expect(200, "GET", UPLOADS))["uploads"] == [done]
    assert len(api.world.changes.bodies) == 1


async def test_json_lines_are_posted_or_written_to_an_address(api: Api) -> None:
    lines = b'{"profileId": "p"}\n{"profileId": "q", "validUntil": "2026-05-01T00:00:00Z"}\n'
    posted = await api.expect(
        202, "POST", f"{AUDIENCE}/members", content=lines, headers={"Content-Type": "application/x-ndjson"}
    )
    created = await api.expect(201, "POST", f"{UPLOADS}?format=ndjson")
    await api.world.uploads.put(created["url"], lines)
    await api.expect(202, "POST", f"{UPLOADS}/{created['upload']['id']}/commit")
    for _ in range(2):
        await api.world.run_backfills()
    for upload_id in (posted["id"], created["upload"]["id"]):
        done = await api.expect(200, "GET", f"{UPLOADS}/{upload_id}")
        assert (done["state"], done["format"], done["accepted"], done["bad"]) == ("done", "ndjson", 2, 0)
    await api.expect(422, "POST", f"{UPLOADS}?format=xml")


async def test_members_are_refreshed(api: Api) -> None:
    refresh = await api.expect(202, "POST", f"{AUDIENCE}/members/refresh?validUntil=2026-05-01T00:00:00Z")
    assert (refresh["refresh"], refresh["state"]) == (True, "running")
    assert [each["id"] for each in (await api.expect(200, "GET", UPLOADS))["uploads"]] == [refresh["id"]]
    for query, problem in (("2025-01-01T00:00:00Z", "a time to come"), ("soon", "a date and time with a zone")):
        answer = await api.expect(422, "POST", f"{AUDIENCE}/members/refresh?validUntil={query}")
        assert problem in answer["detail"]
    await api.expect(422, "POST", "/api/audiences/nobody/members/refresh")


async def test_a_large_file_is_written_to_the_address_that_is_given(api: Api) -> None:
    created = await api.expect(201, "POST", f"{UPLOADS}?replace=true&force=true")
    upload = created["upload"]
    assert (upload["state"], upload["replace"], upload["force"], upload["committedAt"]) == ("created", True, True, None)
    assert created["headers"]["x-ms-blob-type"] == "BlockBlob"
    assert created["expiresAt"] == format_instant(NOW + 60 * MINUTE)
    commit = f"{UPLOADS}/{upload['id']}/commit"
    assert "has no file yet" in (await api.expect(409, "POST", commit))["detail"]
    await api.world.uploads.put(created["url"], b"email\n" + b"x" * 2 * RECORD_LIMIT)
    assert "expected a header of profileId" in (await api.expect(422, "POST", commit))["detail"]
    await api.world.uploads.put(created["url"], b"profileId\np\n")
    committed = await api.expect(202, "POST", commit)
    assert committed["committedAt"] == format_instant(NOW)
    assert await api.expect(202, "POST", commit) == committed


async def test_an_upload_that_was_not_committed_is_cancelled_as_a_backfill_is(api: Api) -> None:
    upload = (await api.expect(201, "POST", UPLOADS))["upload"]
    cancelled = await api.expect(200, "POST", f"/api/backfills/{upload['id']}/cancel")
    assert (cancelled["kind"], cancelled["state"], cancelled["standstill"]) == ("upload", "cancelled", None)


async def test_an_upload_is_cancelled(api: Api) -> None:
    upload = (await api.expect(201, "POST", UPLOADS))["upload"]
    path = f"{UPLOADS}/{upload['id']}"
    cancelled = await api.expect(200, "POST", f"{path}/cancel")
    assert (cancelled["state"], cancelled["note"]) == ("cancelled", "cancelled on request")
    assert "create another one" in (await api.expect(409, "POST", f"{path}/commit"))["detail"]


@pytest.mark.parametrize(
    ("status", "path", "body", "media_type", "detail"),
    [
        (422, f"{AUDIENCE}/members", b"p\nq\n", "text/csv", "line 1: column 1 has another name"),
        (422, f"{AUDIENCE}/members", b"", "text/csv", "the file is empty"),
        (415, f"{AUDIENCE}/members", b"profileId\n", "application/json", "text/csv"),
        (413, f"{AUDIENCE}/members", b"x" * (4 * 1024 * 1024 + 1), "text/csv", "4,194,304"),
        (422, f"{AUDIENCE}/members?namespace=other", b"profileId\n", "text/csv", "origin custom-upload"),
        (422, "/api/audiences/nobody/members", b"profileId\n", "text/csv", "origin custom-upload"),
        (422, "/api/audiences/nobody/uploads", b"", "application/json", "origin custom-upload"),
        (422, f"{UPLOADS}?replace=perhaps", b"", "application/json", "/replace"),
        (404, f"{UPLOADS}/upload-1/commit", b"", "application/json", "there is no upload 'upload-1'"),
        (404, f"{UPLOADS}/upload-1/cancel", b"", "application/json", "there is no upload 'upload-1'"),
        (422, f"{UPLOADS}/%27%20or%201/cancel", b"", "application/json", ""),
    ],
)
async def test_what_is_refused(api: Api, status: int, path: str, body: bytes, media_type: str, detail: str) -> None:
    problem = await api.expect(status, "POST", path, content=body, headers={"Content-Type": media_type})
    assert detail in problem["detail"]
    assert (api.world.backfills.rows, api.world.uploads.files) == ({}, {})


async def test_an_upload_is_there_for_its_own_audience_alone(api: Api) -> None:
    await api.expect(201, "PUT", "/api/audiences/second", json={"origin": "custom-upload"})
    upload = (await api.expect(201, "POST", UPLOADS))["upload"]
    other = f"/api/audiences/second/uploads/{upload['id']}"
    await api.expect(404, "GET", other)
    await api.expect(404, "POST", f"{other}/commit")
    await api.expect(404, "POST", f"{other}/cancel")
    await api.expect(404, "GET", f"{UPLOADS}/{upload['id']}?namespace=other")
    assert (await api.expect(200, "GET", f"{UPLOADS}/{upload['id']}"))["state"] == "created"
    assert (await api.expect(200, "GET", "/api/audiences/second/uploads"))["uploads"] == []


async def test_the_audit_log_names_uploads_and_neither_addresses_nor_members(api: Api) -> None:
    created = await api.expect(201, "POST", UPLOADS)
    await api.expect(202, "POST", f"{AUDIENCE}/members", content=b"profileId\nsomebody\n", headers=CSV)
    entries = [entry for entry in api.world.audit.entries.values() if entry.what.startswith("POST")]
    assert [entry.details for entry in entries] == [
        [f"upload {created['upload']['id']} created"],
        ["upload upload-2026-01-11T220000Z-00000002 committed, 19 bytes"],
    ]
    assert created["url"] not in str(entries)
    assert "somebody" not in str(entries)


PAGE = "/console/audiences/upload?namespace=ups&id=list"
UPLOAD_FORM = "/console/audiences/upload"


@pytest.fixture
async def console(api: Api) -> AsyncIterator[Console]:
    async with Console(api.world) as console:
        yield console


async def test_members_are_pasted_in_the_console(console: Console) -> None:
    listed = (await console.get("/console/audiences")).text
    assert unescape(listed).count(PAGE) == 1
    fields = fields_of((await console.get(PAGE)).text)
    answer = await console.submit(UPLOAD_FORM, fields | {"members": "profileId\r\np\r\n,\r\n", "replace": "on"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/backfills?done=uploaded")
    assert "Upload to list" in await console.page("/console/backfills?done=uploaded")
    (upload,) = (await console.expect(200, "GET", UPLOADS))["uploads"]
    assert (upload["format"], upload["replace"], upload["force"]) == ("csv", True, False)
    for _ in range(2):
        await console.world.run_backfills()
    (done,) = (await console.expect(200, "GET", UPLOADS))["uploads"]
    assert (done["state"], done["accepted"], done["bad"]) == ("done", 1, 1)


@pytest.mark.parametrize("before", ["\r\n", "\ufeff", "\ufeff\r\n "])
async def test_json_lines_are_pasted_too(console: Console, before: str) -> None:
    fields = fields_of((await console.get(PAGE)).text)
    await console.submit(UPLOAD_FORM, fields | {"members": before + '{"profileId": "p"}\r\n'})
    (upload,) = (await console.expect(200, "GET", UPLOADS))["uploads"]
    assert upload["format"] == "ndjson"


async def test_what_cannot_be_taken_is_said_beside_it_and_stays(console: Console) -> None:
    fields = fields_of((await console.get(PAGE)).text)
    for members, problem in (("", "the file is empty"), ("name\r\nada", "profileId"), ("x" * 5_000_000, "at most")):
        answer = await console.submit(UPLOAD_FORM, fields | {"members": members, "force": "on"})
        shown = text_of(answer, 422)
        assert "Nothing was changed." in shown
        assert problem in shown
        again = fields_of(answer.text)
        assert again["members"].splitlines() == members.splitlines()
        assert "force" in again
    assert (await console.expect(200, "GET", UPLOADS))["uploads"] == []


async def test_only_audiences_whose_members_are_uploaded_have_a_page_for_it(console: Console) -> None:
    await console.expect(201, "PUT", "/api/audiences/computed", json={})
    assert "id=computed" not in (await console.get("/console/audiences")).text
    for audience in ("computed", "nobody"):
        path = f"{UPLOAD_FORM}?id={audience}"
        assert f"udience ups/{audience}: expected one that the catalog has" in await console.page(path, 422)
    fields = {"namespace": "ups", "id": "computed", "members": "profileId\r\np"}
    assert "expected one that the catalog has" in text_of(await console.submit(UPLOAD_FORM, fields), 422)
