"""The console's pages and forms: who may open them, what they say, what they do."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from shared.domain.alerts.rules import RULES
from shared.domain.exports.recovery import Recovery
from shared.domain.instants import DAY, MINUTE, SECOND
from shared.domain.messages.queue_kind import QueueKind
from shared.errors import StorageError
from shared.ports.alerts import WebhookAnswer
from shared.ports.configuration import StoredConfiguration
from shared.ports.connections import Verified
from shared.ports.health import DestinationTrouble
from shared.ports.undelivered import UndeliveredCount
from shared.services.alerts.evaluate import AlertRun
from shared.services.changes.export import InboundMessage
from shared.services.runs.last_exports import KEPT
from shared.views.last_exports import LARGEST_BODY
from shared.web.console.glossary import WORDS
from shared.web.console.pages import TAGS
from shared.web.guarded import PERMISSIONS
from shared.web.permissions import Permission
from tests.kit.builders import NOW, configuration, item, membership
from tests.kit.console import SAME_ORIGIN, Console, fields_of, page_routes, text_of
from tests.kit.world import DOCUMENT, World

ROUTES = page_routes()
DESTINATION = "/console/destinations/d"
MAPPING, EXPORTS, BACKFILLS = (f"{DESTINATION}/{tab}" for tab in ("mapping", "exports", "backfills"))
ALERTS = "/console/alerts"
SUBSCRIPTIONS = f"{ALERTS}/subscriptions"
HOOK = "https://hooks.example.com/relay"
CONNECTION = {
    "way": "standard",
    "namespace": "contoso",
    "key_name": "send",
    "key": "not-to-be-shown-anywhere",
    "event_hub_name": "crm",
    "id": "sales",
    "name": "Sales",
}


def required(route: APIRoute) -> set[Permission]:
    return {Permission(name) for name in (route.openapi_extra or {})[PERMISSIONS]}


def some(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: "0" * 64 if match[1] == "profile_key" else "d", path)


MATRIX = [(method, path, missing) for method, path, route in ROUTES for missing in sorted(required(route))]


@pytest.mark.parametrize(("method", "path", "missing"), MATRIX, ids=[f"{m} {p} without {r}" for m, p, r in MATRIX])
async def test_a_role_that_is_missing(world: World, method: str, path: str, missing: Permission) -> None:
    async with Console(world, set(Permission) - {missing}) as console:
        text = text_of(await console.request(method, some(path), headers=SAME_ORIGIN), 403)
    assert f"app role {missing}" in text
    assert world.audit.entries == {}


@pytest.mark.parametrize(("method", "path"), [route[:2] for route in ROUTES], ids=[f"{m} {p}" for m, p, _ in ROUTES])
async def test_nobody_gets_through_unless_signed_in(world: World, method: str, path: str) -> None:
    async with Console(world, None) as console:
        assert "Sign in" in text_of(await console.request(method, some(path), headers=SAME_ORIGIN), 401)


@pytest.mark.parametrize(("method", "path", "route"), ROUTES, ids=[f"{m} {p}" for m, p, _ in ROUTES])
async def test_the_roles_that_a_page_needs_are_enough(world: World, method: str, path: str, route: APIRoute) -> None:
    async with Console(world, required(route)) as console:
        answer = await console.request(method, some(path), headers=SAME_ORIGIN)
    assert answer.status_code in {200, 303, 404, 412, 422}


def test_the_table_in_the_docs_is_the_codes() -> None:
    text = (Path(__file__).parents[2] / "docs/console.md").read_text()
    rows = re.findall(r"^\| `(/console[^`]*)` \| ([^|]*) \|", text, re.MULTILINE)
    table = {
        path.replace("{id}", "{destination_id}"): {name.strip() for name in names.split(",")} for path, names in rows
    }
    code = {path: {str(each) for each in required(route)} for method, path, route in ROUTES if method == "GET"}
    assert len(table) == 23
    assert table == {path: code[path] for path in table}
    assert code.keys() - table.keys() == {
        "/console/",
        "/console/alerts/subscriptions/{subscription_id}/remove",
        "/console/quarantine/{row_id}",
        "/console/undelivered/{destination_id}/redrive",
    }


POSTS = [path for method, path, _ in ROUTES if method == "POST"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "https://evil.example"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
    ],
    ids=["none", "opaque", "foreign", "malformed", "cross-site"],
)
async def test_a_form_of_another_page_does_nothing(console: Console, path: str, headers: dict[str, str]) -> None:
    before = console.world.configuration.document
    console.cookies.set("profile-relay-form", "known")
    text_of(await console.submit(some(path), {"token": "guessed"}, headers=headers), 403)
    assert (console.world.configuration.document, console.world.audit.entries) == (before, {})


async def test_the_token_of_the_page_is_enough_for_browsers_that_say_nothing(console: Console) -> None:
    page = await console.get(MAPPING)
    (token,) = set(re.findall(r'name="token" value="([^"]+)"', page.text))
    cookie = page.headers["set-cookie"]
    assert cookie.startswith(f"profile-relay-form={token};")
    assert {"HttpOnly", "Path=/console", "SameSite=strict", "Secure"} <= set(cookie.split("; "))
    answer = await console.submit(f"{DESTINATION}/pause", {"token": token}, headers={})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{DESTINATION}?done=paused")
    assert "set-cookie" not in (await console.get(DESTINATION)).headers


async def test_only_forms_are_taken(console: Console) -> None:
    answer = await console.post(f"{DESTINATION}/pause", json={}, headers=SAME_ORIGIN)
    assert "application/x-www-form-urlencoded" in text_of(answer, 415)
    sent = {"content-type": "application/x-www-form-urlencoded"} | SAME_ORIGIN
    text_of(await console.post(DESTINATION, content=b"a=%ff", headers=sent), 400)
    text_of(await console.post(DESTINATION, content=b"a=&" * 2_001, headers=sent), 400)


@pytest.mark.parametrize("path", ["/console/x/", "/console/nothing", "/console/assets/x/style.css", f"{DESTINATION}x"])
async def test_a_page_that_there_is_not(console: Console, path: str) -> None:
    assert "Not Found" in await console.page(path, 404)
    answer = await console.get(path, headers={"accept": "application/json"})
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", sorted(TAGS))
async def test_what_pages_load_is_kept_for_good(console: Console, name: str) -> None:
    address = f"/console/assets/{TAGS[name]}/{name}"
    assert address in (await console.get("/console")).text
    answer = await console.get(address)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    assert (await console.get(address, headers={"if-none-match": answer.headers["etag"]})).status_code == 304


async def test_destinations_at_a_glance(console: Console) -> None:
    console.world.break_down("d")
    for number in range(4):
        await console.world.handle(item(f"p{number}", 1, segmentMembership=membership(1)))
    console.world.clock.now += 3 * 60_000_000
    text = await console.page("/console")
    assert "Act now 1 of 2 destinations down: D, since 22:00 UTC (3 min) · 4 exports wait" in text
    assert "4 exports wait, the oldest for 3 min : none is lost ·" in text
    assert re.search(r"All 2 Needs somebody 1 Paused 0 No dataflow 0 .*D Down for 3 min .*4 , 3 min .*E ", text)
    assert re.search(r"E No exports in 24 h 0 none in 24 h 0 $", text)
    confirm = await console.page("/console/undelivered/d/redrive")
    assert re.search(r"4 exports .*The destination is down since 3 min ago : they are sent when it answers", confirm)


async def test_an_empty_console_says_what_to_do_next(console: Console) -> None:
    stored = await console.world.configuration.load()
    console.world.configuration.put(stored.configuration.model_copy(update={"destinations": [], "dataflows": []}))
    assert "Nothing is connected yet" in await console.page("/console")
    assert "Everything was delivered" in await console.page("/console/undelivered")
    assert "Nothing is in quarantine" in await console.page("/console/quarantine")


async def test_connecting_tests_first_and_shows_no_key(console: Console) -> None:
    refused = await console.submit("/console/destinations", CONNECTION)
    assert "there is no crm" in text_of(refused, 422)
    assert CONNECTION["key"] not in refused.text
    console.world.verifier.found["crm"] = Verified(("0", "1"))
    console.world.verifier.hubs = ("analytics", "crm")
    tested = await console.submit("/console/destinations/check", CONNECTION)
    text = text_of(tested)
    assert "It works. The hub takes events; it has 2 partitions." in text
    assert "Take a hub of the namespace: analytics crm" in text
    taken = await console.submit("/console/destinations/check", CONNECTION | {"hub": "analytics"})
    assert fields_of(taken.text)["event_hub_name"] == "analytics"
    assert CONNECTION["key"] not in tested.text
    assert console.world.secrets.secrets == {}
    looks = {"include_segment_names": "on", "only_mapped_audiences": "on", "only_these_identities": "on"}
    done = await console.submit("/console/destinations", CONNECTION | looks | {"identity_namespaces": "ecid"})
    assert (done.status_code, done.headers["location"]) == (303, "/console/destinations/sales/mapping?done=connected")
    (destination,) = [
        each for each in (await console.world.configuration.load()).configuration.destinations if each.id == "sales"
    ]
    assert (destination.include_segment_names, destination.include_segment_timestamps) == (True, False)
    assert (destination.only_mapped_audiences, destination.identity_namespaces) == (True, ["ecid"])
    page = await console.get(done.headers["location"])
    assert "Connected. Now say what is exported" in text_of(page)
    assert CONNECTION["key"] not in page.text
    assert CONNECTION["key"] not in str(console.world.audit.entries)
    assert "choose another id" in text_of(await console.submit("/console/destinations", CONNECTION), 409)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"id": "No!"}, "id"),
        ({"name": ""}, "name"),
        ({"namespace": "https://x"}, "namespace"),
        ({"key_name": ""}, "key_name"),
        ({"way": "connection-string", "connection_string": "x"}, "connection_string"),
        ({"way": "managed-identity", "client_id": "?"}, "client_id"),
        ({"way": "app-setting", "setting": "1"}, "setting"),
        ({"way": "carrier pigeon"}, "way"),
        ({"event_hub_name": "nowhere"}, "event_hub_name"),
    ],
    ids=str,
)
async def test_what_is_wrong_is_said_beside_its_field(console: Console, fields: dict[str, str], field: str) -> None:
    answer = await console.submit("/console/destinations", CONNECTION | fields)
    text_of(answer, 422)
    assert f'id="{field}-problem"' in answer.text
    assert set(re.findall(r'id="(\w+)-problem"', answer.text)) == {field}


async def mapping(console: Console, **fields: Any) -> dict[str, Any]:
    """The fields of the form as the page has them, with some others."""
    page = (await console.get(MAPPING)).text
    etag = re.findall(r'name="etag" value="([^"]*)"', page)[0]
    shown = {"etag": unescape(etag), "attributes": "/x", "trigger_audience": "on", "trigger_attribute": "on"}
    return shown | {"trigger_identity": "on", "audience": ["ups/a"]} | fields


async def test_mapping_is_saved(console: Console) -> None:
    fields = await mapping(console, attributes="/x\nperson.name\n/x", others="b\nx/c", consent="consents.email.val")
    del fields["trigger_identity"]
    answer = await console.submit(MAPPING, fields)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{MAPPING}?done=saved")
    stored = (await console.world.configuration.load()).configuration
    dataflow = next(each for each in stored.dataflows if each.id == "d")
    assert [each.key for each in dataflow.audiences] == [("ups", "a"), ("ups", "b"), ("x", "c")]
    assert (dataflow.attributes, dataflow.consent) == (["/x", "/person/name"], "/consents/email/val")
    assert (dataflow.triggers.audience, dataflow.triggers.identity) == (True, False)
    entries = [entry for entry in console.world.audit.entries.values() if entry.details]
    assert entries[0].details[0] == "dataflow d changed"
    assert "2 audiences, asked for just now 0 %" in await console.page(BACKFILLS)
    again = await console.submit(MAPPING, fields)
    assert "Somebody else changed it since you opened the page" in text_of(again, 412)


async def test_who_maps_hears_that_the_destination_is_down(console: Console) -> None:
    assert "is down" not in await console.page(MAPPING)
    await console.world.health.put(DestinationTrouble("d", recovering=False, since=console.world.clock(), error="gone"))
    assert re.search(
        r"The destination is down since .* UTC \(0 s\)\. What is saved here holds at once; its exports wait until",
        await console.page(MAPPING),
    )
    assert "is down" not in await console.page("/console/destinations/e/mapping")


async def test_what_is_wrong_with_a_mapping(console: Console) -> None:
    fields = await mapping(console, attributes="/x\nlist[0]", others="ups/")
    answer = await console.submit(MAPPING, fields)
    text = text_of(answer, 422)
    assert "line 2: expected a path that ends at the array" in text
    assert set(re.findall(r'id="(\w+)-problem"', answer.text)) == {"attributes", "others"}
    assert "list[0]" in answer.text


async def test_a_preview_follows_the_form_and_saves_nothing(console: Console) -> None:
    await console.world.handle(item("p", 1, attributes={"y": "kept"}, segmentMembership=membership(1)))
    before = console.world.configuration.document
    fields = await mapping(console, attributes="/y\n/z/deep")
    text = text_of(await console.submit(f"{MAPPING}/preview", fields))
    assert '"deep": "sample deep"' in text
    text = text_of(await console.submit(f"{MAPPING}/preview", fields | {"profile_id": "p"}))
    assert '"y": "kept"' in text
    assert "deep" not in text.split("What an export looks like")[1]
    nobody = text_of(await console.submit(f"{MAPPING}/preview", fields | {"profile_id": "nobody"}))
    assert "never been in an audience" in nobody
    live = await console.submit(f"{MAPPING}/preview", fields | {"live": "on"})
    assert '"deep": "sample deep"' in text_of(live)
    assert (live.text.count("<form"), live.text.count("<h1")) == (1, 0)
    assert [entry.what for entry in console.world.audit.entries.values()] == []
    assert console.world.configuration.document == before


async def test_a_preview_goes_by_the_schedules_as_saving_would_have_them(console: Console) -> None:
    await console.world.handle(item("p", 1, attributes={"y": "kept"}, segmentMembership=membership(1, audience="b")))
    fields = await mapping(console, others="b", profile_id="p")
    on, off = "2020-01-01T00:00:00Z - ups/b", "2999-01-01T00:00:00Z - ups/b"
    shown = text_of(await console.submit(f"{MAPPING}/preview", fields | {"schedules": on}))
    assert "The profile as it is now, by the mapping in the form" in shown
    shown = text_of(await console.submit(f"{MAPPING}/preview", fields | {"schedules": off}))
    assert "Nothing would be exported of this profile" in shown


async def test_a_preview_shows_what_only_mapped_audiences_leave_out(console: Console) -> None:
    siblings = {"name": "Sibling", "mergePolicyId": "m"}
    for audience in ("a", "sibling"):
        assert (await console.put(f"/api/audiences/{audience}", json=siblings)).status_code in (200, 201)
    assert "It also tells of audiences that nobody mapped: sibling" in await console.page(MAPPING)
    details = fields_of((await console.get(f"{DESTINATION}/edit")).text)
    limits = {"only_mapped_audiences": "on", "only_these_identities": "on", "identity_namespaces": "email"}
    asked = fields_of((await console.submit(f"{DESTINATION}/edit", details | limits)).text)
    await console.submit(f"{DESTINATION}/edit", asked)
    page = await console.page(MAPPING)
    assert "Left out, as nobody mapped them: sibling" in page
    assert "Identities left out: ecid" in page

    both = membership(1)
    both["ups"] |= membership(1, audience="sibling")["ups"]
    await console.world.handle(item("p", 1, segmentMembership=both))
    why = text_of(await console.submit("/console/why", {"profile_id": "p", "change": ""}))
    assert "Left out, as nobody mapped them: Sibling sibling" in why


async def test_pause_and_resume(console: Console) -> None:
    await console.submit(f"{DESTINATION}/pause")
    assert " D Paused " in await console.page(DESTINATION)
    assert (await console.submit(f"{DESTINATION}/resume")).headers["location"] == f"{DESTINATION}?done=resumed"
    backfill = (await console.world.worker.plan_backfills.all())[0]
    answer = await console.submit(f"/console/backfills/{backfill.id}/cancel")
    assert answer.headers["location"] == f"{BACKFILLS}?done=cancelled"
    assert "Cancelled" in await console.page(BACKFILLS)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"resync_scope": "everything"}, ["p", "q"]),
        ({"resync_scope": "audience", "resync_audience": "ups/a"}, ["p", "q"]),
        ({"resync_scope": "profiles", "resync_profiles": "p\r\nnobody"}, ["p"]),
        ({"resync_scope": "saved-since", "resync_since": "2026-01-01T00:00:00Z"}, ["p", "q"]),
        ({"resync_scope": "key-range", "resync_first": "0", "resync_last": "f"}, ["p", "q"]),
    ],
)
async def test_members_are_exported_again(console: Console, fields: dict[str, str], told: list[str]) -> None:
    for profile_id in "pq":
        await console.world.handle(item(profile_id, 1, segmentMembership=membership(1)), message_id=profile_id)
    console.world.sender.sent.clear()
    page = await console.get(BACKFILLS)
    key = re.findall(r'name="resync_key" value="(\w+)"', page.text)[0]
    done = [await console.submit(f"{DESTINATION}/resync", fields | {"resync_key": key}) for _ in range(2)]
    locations = [answer.headers["location"] for answer in done]
    assert locations == [f"{BACKFILLS}?done=resync", f"{BACKFILLS}?done=resync-known"]
    refused = text_of(await console.submit(f"{DESTINATION}/resync", fields | {"resync_key": "another"}), 409)
    assert "has not ended" in refused
    await console.world.work_slices()
    assert sorted(each.profile_id for each in console.world.sender.sent) == told
    assert "Resync: " in await console.page(BACKFILLS)


async def test_a_resync_of_a_scope_that_is_none(console: Console) -> None:
    answer = await console.submit(f"{DESTINATION}/resync", {"resync_scope": "saved-since", "resync_since": "x"})
    assert "Saved since : expected a date and time" in text_of(answer, 422)


async def test_backfills_show_how_far_they_are(console: Console) -> None:
    for number in range(3):
        await console.world.handle(item(f"p{number}", 1, segmentMembership=membership(1, audience="b")))
    await console.submit(MAPPING, await mapping(console, others="b"))
    assert re.search(r"Waiting .*due in \d+ (s|min)", await console.page(BACKFILLS))
    await console.world.clock.sleep(120)
    await console.world.worker.plan_backfills.run()
    console.world.slices.waiting, rest = console.world.slices.waiting[:8], console.world.slices.waiting[8:]
    await console.world.work_slices()
    console.world.clock.now += 10_000_000
    assert re.search(r"Running .*50 % · .*about 10 s left", await console.page(BACKFILLS))
    assert 'data-every="5"' in (await console.get(BACKFILLS)).text
    console.world.slices.waiting = rest
    await console.world.work_slices()
    await console.world.worker.plan_backfills.run()
    assert re.search(r"Done .*100 % · 3 members , 3 exported", await console.page(BACKFILLS))
    assert 'data-every="15"' in (await console.get(BACKFILLS)).text


async def test_charts_show_what_was_counted(console: Console) -> None:
    assert "What it came to" not in await console.page(DESTINATION)
    await console.world.handle(item("p", 1, segmentMembership=membership(1)))
    console.world.clock.now += 2 * DAY
    await console.world.handle(item("q", 1, segmentMembership=membership(1), attributes={"x": 1}))
    assert await console.world.worker.runs.flush() is None
    assert "Exports by reason 1 export" in await console.page(DESTINATION)
    page = await console.get(f"{DESTINATION}?span=7d")
    assert "Exports by reason 2 exports" in text_of(page)
    assert "1 audience, 1 audience + attribute; at most 1 in one step" in page.text
    assert "What it came to" in await console.page("/console/destinations/e")
    text_of(await console.get(f"{DESTINATION}?span=1y"), 422)


async def test_the_last_exports_are_shown_the_latest_first(console: Console) -> None:
    assert re.search(
        r"Last exports Of the last hour, 20 at most, up to 15 seconds late\. None in that time\.",
        await console.page(EXPORTS),
    )
    for number in range(KEPT + 1):
        await console.world.handle(item(f"<i>p{number}", 1, segmentMembership=membership(1), attributes={"x": "hush"}))
        console.world.clock.now += SECOND
    await console.world.worker.runs.flush()
    page = await console.get(EXPORTS)
    assert re.findall(r"&lt;i&gt;(p\d+)</strong>", page.text) == [f"p{number}" for number in range(KEPT, 0, -1)]
    text = text_of(page)
    assert re.search(r"acknowledged 1 s ago , changed \d h ago · reason audience, attribute", text)
    assert '"x": "hush"' in text
    assert 'data-every="5"' in page.text
    console.world.clock.now += 60 * MINUTE
    assert "None in that time." in await console.page(EXPORTS)


async def test_without_view_profiles_the_last_exports_are_masked(world: World) -> None:
    await world.handle(item("john.doe", 1, segmentMembership=membership(1), attributes={"x": "hush"}))
    await world.worker.runs.flush()
    async with Console(world, {Permission.MANAGE_DESTINATIONS, Permission.VIEW_SEGMENTS}) as console:
        text = await console.page(EXPORTS)
    assert '"x": "(text)"' in text
    assert re.search(r"A profile acknowledged just now , changed \d+ min ago · reason audience, attribute", text)
    assert "hush" not in text
    assert "john.doe" not in text


async def test_an_export_that_is_too_large_is_named_without_its_body(console: Console) -> None:
    attributes = {"x": "y" * LARGEST_BODY}
    await console.world.handle(item("p", 1, segmentMembership=membership(1), attributes=attributes))
    await console.world.worker.runs.flush()
    assert re.search(r"16,\d{3} bytes Too large to be shown here\.", await console.page(EXPORTS))
    assert len(console.world.sender.sent[0].body) > LARGEST_BODY


async def test_what_has_changed_since_a_last_export_is_said(console: Console) -> None:
    async def section(*changes: Any) -> str:
        await console.world.handle(*changes, message_id=str(changes))
        await console.world.worker.runs.flush()
        return await console.page(EXPORTS)

    joined = item("p", 1, segmentMembership=membership(1), attributes={"x": 1})
    assert re.search(r'Body {.*"x": 1', await section(joined))
    changed = await section(item("p", 2, attributes={"x": 2}))
    assert re.search(r'Body {.*"x": 2.* Changed since: what the body would be now {.*"x": 2', changed)
    console.world.configuration.put(configuration(DOCUMENT | {"dataflows": []}))
    assert "The destination maps no audience of the profile any more." in await console.page(EXPORTS)


async def test_a_last_export_of_a_forgotten_profile_says_so(console: Console) -> None:
    other = console.world.new_worker()
    joined = json.dumps(item("p", 1, segmentMembership=membership(1))).encode()
    await other.export_changes.handle(InboundMessage("m", joined, NOW))
    await console.world.handle(item("p", 2, deleted=True), message_id="delete")
    await other.runs.flush()
    assert re.search(r"A profile acknowledged .* The profile has been forgotten since\.", await console.page(EXPORTS))


async def test_undelivered_is_shown_and_redriven(console: Console) -> None:
    console.world.break_down("d")
    await console.world.handle(item("<script>alert(1)</script>", 1, segmentMembership=membership(1)))
    page = await console.get("/console/undelivered")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "Nothing matches" in await console.page("/console/undelivered?destination=e&state=dead")
    assert "1 export waits ( 1 retrying) and is sent without anybody's help." in text_of(page)
    assert "Redrive all when it answers" not in text_of(page)
    await console.world.health.put(DestinationTrouble("d", recovering=False, since=console.world.clock(), error="gone"))
    assert "Redrive all when it answers" in await console.page("/console/undelivered")
    console.world.health.troubles.clear()
    confirm = await console.page("/console/undelivered/d/redrive")
    assert "Redrive all to D? 1 export : sent again" in confirm
    assert console.world.health.redrives == {}
    answer = await console.submit("/console/undelivered/d/redrive")
    assert answer.headers["location"] == "/console/undelivered?destination=d&done=redriving"
    assert "d" in console.world.health.redrives
    console.world.mend("d")
    console.world.clock.now += 120_000_000
    (form,) = re.findall(r'action="(/console/undelivered/d/[0-9a-f]{64}/redrive)"', page.text)
    assert (await console.submit(form)).headers["location"] == "/console/undelivered?done=sent"
    text_of(await console.submit(form), 404)
    text_of(await console.get("/console/undelivered/d/redrive"), 404)


async def test_undelivered_says_how_far_a_redrive_is(console: Console) -> None:
    world = console.world
    world.break_down("d")
    for number in range(4):
        await world.handle(item(f"p{number}", 1, segmentMembership=membership(1)), message_id=f"m{number}")
    world.health.troubles.clear()
    await world.health.note_recovery(Recovery("d", world.clock() - 90 * SECOND, world.clock(), settled=1_996))
    page = await console.get("/console/undelivered")
    assert "D is told again what it missed, since 1 min ago" in text_of(page)
    assert "99 % 1,996 of 2,000 done, 4 left · 22.2 a second" in text_of(page)
    assert '<progress max="1" value="0.998" aria-label="Recovery of D">' in page.text

    async def too_many(most: int) -> dict[str, UndeliveredCount]:
        return {"d": UndeliveredCount({"parked": most}, complete=False)}

    world.undelivered.counts = too_many  # type: ignore[method-assign]
    page = await console.get("/console/undelivered")
    assert "1,996 done, 10,000 or more left · 22.2 a second" in text_of(page)
    assert "<progress" not in page.text


async def test_open_alerts_are_grouped_causes_first(console: Console) -> None:
    world = console.world
    await world.health.put(DestinationTrouble("d", recovering=False, since=world.clock(), error="gone"))
    world.clock.now += MINUTE
    await world.health.put(DestinationTrouble("e", recovering=False, since=world.clock(), error="gone"))
    world.queues.put(QueueKind.CHANGES)
    world.clock.now += 90 * MINUTE
    await world.worker.evaluate_alerts.run(AlertRun())
    text = await console.page(ALERTS)
    critical = text.index("Critical The destination does not answer 2 alerts, the first for")
    assert critical < text.index("D 1.5 h the") < text.index("E 1.5 h the") < text.index("Warning")


async def test_what_is_undelivered_is_counted_by_its_reason_and_found_by_profile(console: Console) -> None:
    console.world.break_down("d")
    for number in range(3):
        await console.world.handle(item(f"p{number}", 1, segmentMembership=membership(1)), message_id=f"m{number}")
    page = await console.get("/console/undelivered")
    text = text_of(page)
    assert re.search(r"retrying other 3 just now just now", text)
    assert "3 in all, 3 on this page" in text
    (group,) = re.findall(r'<td><a href="([^"]+)">retrying', page.text)
    there = await console.get(unescape(group))
    assert "3 are like that, 3 on this page" in text_of(there)
    assert "Nothing matches" in await console.page("/console/undelivered?code=throttled")

    # A row is redriven from the page that it is on, and one comes back there.
    form = unescape(re.findall(r'action="(/console/undelivered/d/[0-9a-f]{64}/redrive[^"]*)"', there.text)[0])
    assert (await console.submit(form)).headers["location"] == f"{unescape(group)}&done=failed"

    found = text_of(await console.submit("/console/undelivered", {"profile_id": "p1"}))
    assert "1 destination has not heard all of this profile" in found
    assert ("p1" in found, "p2" in found) == (True, False)
    assert "Nothing matches" in text_of(await console.submit("/console/undelivered", {"profile_id": "nobody"}))
    assert "p1" not in str(console.world.audit.entries)


async def test_quarantine_is_shown_replayed_and_dropped(console: Console) -> None:
    for number in range(3):
        await console.world.handle({"profileId": f"<b>{number}"}, message_id=f"m{number}")
    page = await console.get("/console/quarantine")
    rows = re.findall(r'name="row" value="([^"]+)"', page.text)
    assert len(rows) == 3
    shown = await console.get(f"/console/quarantine/{rows[0]}")
    assert re.search(r"Profile <b>\d Message m\d", text_of(shown))
    assert "<b>" not in shown.text
    selected = {"row": rows[:2], "action": "replay"}
    assert "Replay 2 items?" in text_of(await console.submit("/console/quarantine/selected", selected))
    assert console.world.changes.bodies == []
    answer = await console.submit("/console/quarantine/selected", selected | {"confirmed": "yes"})
    assert answer.headers["location"] == "/console/quarantine?done=replayed"
    assert len(console.world.changes.bodies) == 2
    again = text_of(await console.submit("/console/quarantine/selected", selected | {"confirmed": "yes"}), 409)
    assert "0 items replayed, 2 not" in again
    assert "for good" in text_of(await console.submit(f"/console/quarantine/{rows[2]}/drop"))
    dropped = {"row": rows, "action": "drop", "confirmed": "yes"}
    await console.submit("/console/quarantine/selected", dropped)
    details = [entry.details for entry in console.world.audit.entries.values()]
    assert ["1 quarantined items dropped"] in details
    assert "Nothing is in quarantine" in await console.page("/console/quarantine")


async def test_what_is_in_quarantine_for_one_reason_is_one_group(console: Console) -> None:
    batch = [{"profileId": "p", "occurredAt": "soon"} for _ in range(12)] + [{"profileId": "q"}]
    await console.world.handle(*batch)
    page = await console.get("/console/quarantine")
    text = text_of(page)
    assert len(re.findall("[0-9]+ items? invalid-change ", text)) == 2
    assert "12 items invalid-change" in text
    assert "What to do: Correct what upstream sends: the text names the field." in text
    first = page.text.split("</form>")[1 if "filter" in page.text.split("</form>")[0] else 0]
    assert re.findall(r">Item (\d+)</a>", first) == [str(number) for number in range(12)]
    group = {"all": re.findall(r'name="all" value="([^"]+)"', first), "action": "replay group"}
    assert "Replay 12 items?" in text_of(await console.submit("/console/quarantine/selected", group))
    await console.submit("/console/quarantine/selected", {"row": group["all"], "action": "replay", "confirmed": "yes"})
    assert len(console.world.changes.bodies) == 12


async def test_an_item_is_edited_and_replayed(console: Console) -> None:
    await console.world.handle({"profileId": "p", "occurredAt": "soon"})
    (row,) = set(re.findall(r'name="row" value="([^"]+)"', (await console.get("/console/quarantine")).text))
    address = f"/console/quarantine/{row}"
    edited = fields_of((await console.get(address)).text.split("Edit and replay")[1])["body"]
    assert json.loads(edited) == {"profileId": "p", "occurredAt": "soon"}

    again = await console.submit(f"{address}/edit", {"body": edited.replace("soon", "tomorrow")})
    assert "/occurredAt" in text_of(again, 422)
    assert "tomorrow" in again.text
    assert console.world.changes.bodies == []
    assert "soon" in await console.page(address)

    mended = edited.replace("soon", "2026-01-11T21:00:00Z")
    assert (await console.submit(f"{address}/edit", {"body": mended})).headers["location"].endswith("?done=replayed")
    assert console.world.changes.bodies == [mended.encode()]
    assert "Nothing is in quarantine" in await console.page("/console/quarantine")
    assert [f"quarantine {row} replayed, edited"] in [each.details for each in console.world.audit.entries.values()]
    text_of(await console.submit(f"{address}/edit", {"body": mended}), 404)


async def opened(console: Console) -> None:
    """One alert of each of two destinations, of which one is over."""
    world = console.world
    for destination_id in ("d", "e"):
        await world.health.put(DestinationTrouble(destination_id, recovering=False, since=world.clock(), error="gone"))
    world.clock.now += 90 * SECOND
    await world.worker.evaluate_alerts.run(AlertRun())
    del world.health.troubles["e"]
    world.clock.now += 60 * SECOND
    await world.worker.evaluate_alerts.run(AlertRun())


async def test_alerts_say_who_since_when_and_how_much(console: Console) -> None:
    assert "No alert is open Nobody would be told of one: subscribe a webhook ." in await console.page(ALERTS)
    await opened(console)
    text = await console.page(ALERTS)
    assert "Critical The destination does not answer D What to do: See its last problem, and whether" in text
    told = "it answers. 2.5 min the alert is 1 min old · destination-down"
    assert told in text
    assert "Over Resolved The destination does not answer E Over just now , opened 1 min ago · last value" in text
    assert re.search(
        r"Act now 1 of 2 destinations down: D, since .* UTC \(2 min\) .*no export waits .*"
        r"1 alert open \(destination-down\), 1 critical .*"
        "D Down for 2 min destination-down",
        await console.page("/console"),
    )
    assert "1 alert open : The destination does not answer: 2.5 min." in await console.page(DESTINATION)
    assert "alert open" not in await console.page("/console/destinations/e")


async def test_without_view_segments_an_alert_is_no_link(world: World) -> None:
    async with Console(world, {Permission.MANAGE_DESTINATIONS}) as console:
        await opened(console)
        page = await console.get(ALERTS)
    assert "The destination does not answer" in text_of(page)
    assert DESTINATION not in page.text


async def test_a_subscription_shows_its_secret_once(console: Console) -> None:
    fields = {"url": HOOK, "event": ["dead-rows", "destination-down"], "destination": ["d"]}
    answer = await console.submit(SUBSCRIPTIONS, fields)
    text = text_of(answer, 201)
    (subscription,) = await console.world.worker.alert_subscriptions.all()
    assert (subscription.url, subscription.events, subscription.destinations) == (
        HOOK,
        ["dead-rows", "destination-down"],
        ["d"],
    )
    (stored,) = console.world.secrets.secrets.values()
    secret = re.findall(r"whsec_\S+", text)[0]
    assert secret in str(stored)
    page = await console.get(SUBSCRIPTIONS)
    assert f"{HOOK} dead-rows , destination-down of D" in text_of(page)
    assert secret not in page.text
    assert secret not in str(console.world.audit.entries)

    own = f"{SUBSCRIPTIONS}/{subscription.id}"
    assert f"Tell it of nothing any more? {HOOK}" in await console.page(f"{own}/remove")
    assert len(await console.world.worker.alert_subscriptions.all()) == 1
    removed = await console.submit(f"{own}/remove")
    assert removed.headers["location"] == f"{SUBSCRIPTIONS}?done=unsubscribed"
    assert (await console.world.worker.alert_subscriptions.all(), console.world.secrets.secrets) == ([], {})
    text_of(await console.get(f"{own}/remove"), 404)
    text_of(await console.submit(f"{own}/test"), 404)


async def test_a_subscription_has_thresholds_of_its_own(console: Console) -> None:
    page = await console.get(SUBSCRIPTIONS)
    assert 'name="threshold_failure-rate"' in page.text
    assert "Exports are not acknowledged when they are sent % Usually more than 5 %" in text_of(page)
    assert "<details>" in page.text
    typed = {"threshold_dead-rows": "10", "threshold_failure-rate": " 7.5 ", "threshold_slow-exports": "90"}
    text_of(await console.submit(SUBSCRIPTIONS, {"url": HOOK, "event": list(RULES)} | typed), 201)
    (subscription,) = await console.world.worker.alert_subscriptions.all()
    assert subscription.thresholds == {"dead-rows": 10, "failure-rate": 0.075, "slow-exports": 90}
    listed = await console.page(SUBSCRIPTIONS)
    assert "Every alert of every destination; dead-rows from more than 10 exports on; " in listed
    assert "failure-rate from more than 7.5 % on; slow-exports from more than 1.5 min on" in listed


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("dead-rows", "-1", "expected a number from 0 to 10,000"),
        ("dead-rows", "10001", "expected a number from 0 to 10,000"),
        ("failure-rate", "101", "expected a number from 0 to 100"),
        ("failure-rate", "5 %", "expected a number from 0 to 100"),
        ("slow-exports", "1,5", "expected a number from 0 to 1,000,000,000"),
        ("slow-exports", "nan", "expected a number from 0 to 1,000,000,000"),
        ("long-backfill", "60", "choose this alert above, too, or leave this empty"),
    ],
)
async def test_what_is_no_threshold_is_said_beside_its_field(
    console: Console, name: str, typed: str, said: str
) -> None:
    events = [rule for rule in RULES if rule != "long-backfill"]
    fields = {"url": HOOK, "event": events, f"threshold_{name}": typed}
    answer = await console.submit(SUBSCRIPTIONS, fields)
    assert said in text_of(answer, 422)
    assert re.findall(r'id="([\w-]+)-problem"', answer.text) == [f"threshold_{name}"]
    assert f'value="{typed}"' in answer.text
    assert "<details open>" in answer.text
    assert await console.world.worker.alert_subscriptions.all() == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": ""}, "url"),
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"event": []}, "event"),
        ({"event": ["nothing"]}, "event"),
        ({"destination": ["D'"]}, "destination"),
    ],
    ids=str,
)
async def test_what_cannot_be_subscribed_is_said_beside_its_field(
    console: Console, fields: dict[str, Any], field: str
) -> None:
    answer = await console.submit(SUBSCRIPTIONS, {"url": HOOK, "event": ["dead-rows"]} | fields)
    text_of(answer, 422)
    assert set(re.findall(r'id="(\w+)-problem"', answer.text)) == {field}
    assert await console.world.worker.alert_subscriptions.all() == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (WebhookAnswer(204, None), f"The test alert was taken by {HOOK} , which answered HTTP 204."),
        (WebhookAnswer(500, "HTTP 500"), f"The test alert was not taken by {HOOK} : HTTP 500."),
        (WebhookAnswer(None, "no answer within 10 s"), f"was not taken by {HOOK} : No answer within 10 s."),
    ],
)
async def test_a_test_alert_says_what_was_answered(console: Console, answer: WebhookAnswer, said: str) -> None:
    await console.submit(SUBSCRIPTIONS, {"url": HOOK, "event": list(RULES)})
    (subscription,) = await console.world.worker.alert_subscriptions.all()
    console.world.webhooks.answers = [answer]
    assert said in text_of(await console.submit(f"{SUBSCRIPTIONS}/{subscription.id}/test"))
    assert [url for url, _, _ in console.world.webhooks.posted] == [HOOK]


async def test_what_could_not_be_delivered_is_listed(console: Console) -> None:
    await console.submit(SUBSCRIPTIONS, {"url": HOOK, "event": list(RULES), "destination": ["d"]})
    console.world.webhooks.answers = [WebhookAnswer(500, "HTTP 500")] * 8
    await opened(console)
    pointer, _ = console.world.alert_deliveries.waiting.pop(0)
    await console.world.worker.deliver_alerts.handle(pointer)
    text = await console.page(ALERTS)
    assert f"The destination does not answer D , opened HTTP 500. To {HOOK} · 1 attempt" in text


async def test_without_a_place_for_secrets_nobody_can_subscribe(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.world.secrets, "writable", False)
    page = await console.get(SUBSCRIPTIONS)
    assert "set KEY_VAULT_URI to subscribe" in text_of(page)
    assert f'action="{SUBSCRIPTIONS}"' not in page.text
    assert "et the app setting KEY_VAULT_URI" in text_of(
        await console.submit(SUBSCRIPTIONS, {"url": HOOK, "event": list(RULES)}), 409
    )


async def test_storage_that_is_down_has_a_page(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing() -> StoredConfiguration:
        raise StorageError("table Configuration: could not read: HTTP 503")

    monkeypatch.setattr(console.world.configuration, "load", failing)
    answer = await console.get("/console")
    text = text_of(answer, 503)
    assert "Table Configuration: could not read" in text
    assert "What to do: wait a moment" in text
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    "path", ["/console/destinations/d", "/console/destinations/d/remove", "/console/undelivered/d/redrive"]
)
async def test_a_page_of_one_destination_counts_what_waits_for_that_one_alone(
    world: World, console: Console, path: str
) -> None:
    world.break_down("d")
    await world.handle(item("p", 1, segmentMembership=membership(1)))
    count, counted = world.undelivered.count, []

    async def counting(destination_id: str, most: int) -> UndeliveredCount:
        counted.append(destination_id)
        return await count(destination_id, most)

    world.undelivered.count = counting  # type: ignore[method-assign]
    await console.page(path)
    assert counted == ["d"]


def test_words_mean_on_pages_what_they_mean_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs/concepts.md").read_text()
    meanings = {
        word.strip("`"): meaning for word, meaning in re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    }
    assert {word: meanings[word] for word in WORDS} == WORDS


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (MAPPING, ["catalog", "ups"]),
        ("/console/audiences", ["catalog"]),
        ("/console/undelivered", ["retrying", "parked", "dead"]),
        (f"{DESTINATION}/edit", ["merge policy"]),
        ("/console/destinations/new", ["merge policy"]),
    ],
)
async def test_a_word_is_explained_where_it_is_met_by_mouse_keyboard_and_without_a_script(
    console: Console, path: str, words: list[str]
) -> None:
    assert (await console.put("/api/audiences/a", json={"name": "A"})).status_code == 201
    page = unescape((await console.get(path)).text)
    found = re.findall(
        r'<button type="button" class="term" popovertarget="([^"]+)" title="(.*?)">([^<]*)</button>', page
    )
    assert [(said, word) for _, said, word in found] == [(WORDS[word], word) for word in words]
    for target, said, word in found:
        assert f'<span popover id="{target}"><strong>{word}</strong>: {said}</span>' in page
