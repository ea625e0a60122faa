"""A destination's own details, its key, its end: by forms, under the permissions of the API."""

import re
from collections.abc import AsyncIterator, Set

import pytest

from shared.domain.configuration.model import Destination, IdentityAuthentication, SasAuthentication
from shared.errors import SecretError
from shared.ports.connections import ConnectionProblem, Verified
from shared.web.permissions import Permission
from tests.kit.api import routes
from tests.kit.builders import item, membership
from tests.kit.console import Console, fields_of, page_routes, text_of
from tests.kit.world import World
from tests.web.test_permissions import required

PAGES = "/console/destinations/{destination_id}"
PAGE = "/console/destinations/d"
SETTINGS = f"{PAGE}/settings"
EDIT, CONNECTION, REMOVE, UNMAP = (f"{PAGE}/{name}" for name in ("edit", "connection", "remove", "dataflow/remove"))
KEY = "not-to-be-shown-anywhere"
OTHER_KEY = "nor-is-this-one-to-be-shown"
SAS = {"way": "standard", "namespace": "contoso", "key_name": "send", "key": KEY}
MANAGE = frozenset({Permission.MANAGE_DESTINATIONS})


@pytest.fixture
async def console(world: World) -> AsyncIterator[Console]:
    """The hub of the destination `d` answers."""
    world.verifier.found["d"] = Verified(("0", "1"))
    async with Console(world) as client:
        yield client


async def form(console: Console, path: str, **fields: str) -> dict[str, str]:
    """The form of a page as it is, but for some fields."""
    return fields_of((await console.get(path)).text) | fields


async def destination(console: Console) -> Destination | None:
    entries = (await console.world.configuration.load()).configuration.destinations
    return next((each for each in entries if each.id == "d"), None)


async def go(console: Console, path: str, fields: dict[str, str]) -> str:
    """Where a form leads that did what it is for."""
    answer = await console.submit(path, fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def agree(console: Console, fields: dict[str, str], *taken_away: str) -> str:
    """Where the form of details leads that takes something from what consumers read, once one agrees."""
    before = await destination(console)
    asked = await console.submit(EDIT, fields)
    said = text_of(asked, 200)
    assert "Nothing is saved yet: saving takes something away." in said
    assert all(f"removes {each} from what d's consumers read" in said for each in taken_away)
    assert await destination(console) == before
    return await go(console, EDIT, fields | {"agreed": fields_of(asked.text)["agreed"]})


def problems_in(page: str) -> set[str]:
    return set(re.findall(r'id="(\w+)-problem"', page))


async def connected(console: Console, **fields: str) -> Destination:
    """The destination after it was connected with a key."""
    await go(console, CONNECTION, await form(console, CONNECTION, **SAS | fields))
    changed = await destination(console)
    assert changed is not None
    return changed


@pytest.mark.parametrize(
    ("form", "route"),
    [
        ("POST /edit", "PUT /destinations/{destination_id}"),
        ("POST /connection", "PUT /destinations/{destination_id}/connection"),
        ("POST /connection", "POST /destinations/{destination_id}/connection/rotate"),
        ("POST /connection/check", "POST /connections/check"),
        ("POST /remove", "DELETE /destinations/{destination_id}"),
        ("POST /dataflow/remove", "DELETE /dataflows/{destination_id}"),
    ],
)
def test_a_form_needs_what_the_api_needs(form: str, route: str) -> None:
    method, path = form.split()
    (of_form,) = [each for way, at, each in page_routes() if (way, at) == (method, f"{PAGES}{path}")]
    method, path = route.split()
    (of_api,) = [each for way, at, each in routes() if (way, at) == (method, f"/api{path}")]
    assert required(of_form) == required(of_api)


async def test_details_are_edited(console: Console) -> None:
    settings = (await console.get(SETTINGS)).text
    links = re.findall(rf'class="button[^"]*" href="{PAGE}/([a-z/]+)"', settings)
    assert links == ["edit", "connection", "dataflow/remove", "remove"]
    fields = await form(console, EDIT)
    assert (fields["name"], fields["event_hub_name"]) == ("D", "d")
    fields |= {"name": "<b>Sales", "description": "What <i>it</i> is", "event_hub_name": "crm"}
    edited = fields | {"include_segment_timestamps": "on"}
    moved = "all that is exported from now on, which goes to the hub crm,"
    assert await agree(console, edited, moved) == f"{SETTINGS}?done=edited"
    changed = await destination(console)
    assert changed is not None
    assert (changed.name, changed.description, changed.event_hub_name) == ("<b>Sales", "What <i>it</i> is", "crm")
    assert (changed.include_segment_names, changed.include_segment_timestamps) == (False, True)
    page = await console.get(f"{SETTINGS}?done=edited")
    assert "Saved. Every worker follows within a minute." in text_of(page)
    assert "<b>Sales" not in page.text
    asked, saved = console.world.audit.entries.values()
    assert asked.what == saved.what == f"POST {EDIT}"
    assert asked.details == ["not saved: it was asked whether consumers know of it"]
    assert saved.details == ["destination d changed"]
    again = await form(console, EDIT)
    assert again["include_segment_timestamps"] == "on"
    assert await go(console, EDIT, again) == f"{SETTINGS}?done=unchanged"


async def test_what_exports_hold_is_edited(console: Console) -> None:
    fields = await form(console, EDIT)
    assert "only_mapped_audiences" not in fields
    fields |= {"only_mapped_audiences": "on", "only_these_identities": "on"}
    fields |= {"identity_namespaces": 'email\r\n" odd"\r\nemail'}
    assert await agree(console, fields, "audiences that are not mapped") == f"{SETTINGS}?done=edited"
    changed = await destination(console)
    assert changed is not None
    assert (changed.only_mapped_audiences, changed.identity_namespaces) == (True, ["email", " odd"])
    assert re.search("mapped audiences only, identities of email ?, odd", await console.page(SETTINGS))
    again = await form(console, EDIT)
    assert (again["only_mapped_audiences"], again["identity_namespaces"]) == ("on", 'email\n" odd"')
    assert await go(console, EDIT, again) == f"{SETTINGS}?done=unchanged"

    assert await agree(console, again | {"identity_namespaces": ""}, "identities of email") == f"{SETTINGS}?done=edited"
    assert "mapped audiences only, no identities" in await console.page(SETTINGS)
    again = await form(console, EDIT)
    del again["only_these_identities"]
    assert await go(console, EDIT, again) == f"{SETTINGS}?done=edited"
    assert "mapped audiences only, all identities" in await console.page(SETTINGS)

    answer = await console.submit(
        EDIT, again | {"only_these_identities": "on", "identity_namespaces": "x\n" + "y" * 513}
    )
    assert "line 2: expected at most 512 characters" in text_of(answer, 422)
    assert problems_in(answer.text) == {"identity_namespaces"}


async def test_what_nobody_edited_stays_as_it_was(console: Console) -> None:
    etag = (await console.get("/api/destinations/d")).headers["etag"]
    odd = {"name": " Sales\u2028 ", "description": "one line\nand another ", "eventHubName": "d"}
    put = await console.put("/api/destinations/d", json=odd, headers={"if-match": etag})
    assert put.status_code == 200, put.text
    fields = await form(console, EDIT)
    fields["description"] = fields["description"].replace("\n", "")  # as a browser has it
    assert await go(console, EDIT, fields) == f"{SETTINGS}?done=unchanged"
    changed = await destination(console)
    assert changed is not None
    assert (changed.name, changed.description) == (odd["name"], odd["description"])


@pytest.mark.parametrize("field", ["name", "event_hub_name"])
@pytest.mark.parametrize("value", ["", "x" * 513])
async def test_details_that_are_none(console: Console, field: str, value: str) -> None:
    answer = await console.submit(EDIT, await form(console, EDIT, description="kept", **{field: value}))
    text_of(answer, 422)
    assert problems_in(answer.text) == {field}
    assert fields_of(answer.text)["description"] == "kept"
    unchanged = await destination(console)
    assert unchanged is not None
    assert unchanged.description == ""


@pytest.mark.parametrize("path", [EDIT, CONNECTION, REMOVE])
async def test_nobody_overwrites_what_they_have_not_seen(console: Console, path: str) -> None:
    stale = await form(console, path) | SAS
    await go(console, EDIT, await form(console, EDIT, name="Another"))
    before = console.world.configuration.document
    assert "Somebody else changed it since you opened the page" in text_of(await console.submit(path, stale), 412)
    assert (console.world.configuration.document, console.world.secrets.secrets) == (before, {})


async def test_a_key_is_rotated(console: Console) -> None:
    assert (await form(console, CONNECTION))["way"] == "app-setting"
    first = await connected(console)
    assert isinstance(first.authentication, SasAuthentication)
    page = await console.get(CONNECTION)
    text = text_of(page)
    assert "Connected now by key send ending in here . To rotate the key" in re.sub(
        r"ending in \S+ ", "ending in here ", text
    )
    assert "valid for 65 seconds after that" in text
    fields = fields_of(page.text)
    assert fields == fields | {"way": "standard", "namespace": first.authentication.namespace, "key_name": "send"}
    assert fields["key"] == ""
    assert await go(console, CONNECTION, fields | {"key": OTHER_KEY}) == f"{SETTINGS}?done=reconnected"
    rotated = await destination(console)
    assert rotated is not None
    assert isinstance(rotated.authentication, SasAuthentication)
    # The old one is there still, for workers that have not gone over yet.
    versions = console.world.secrets.secrets["profile-relay-d"]
    assert versions[rotated.authentication.secret.version or ""] == OTHER_KEY
    assert KEY in versions.values()
    said = [(await console.get(path)).text for path in (f"{SETTINGS}?done=reconnected", CONNECTION)]
    said += [console.world.configuration.document, repr(console.world.audit.entries)]
    assert all(key not in text for key in (KEY, OTHER_KEY) for text in said)


async def test_it_is_connected_without_a_key(console: Console) -> None:
    await connected(console)
    fields = await form(console, CONNECTION, way="managed-identity", client_id="0-1", event_hub_name="another")
    await go(console, CONNECTION, fields)
    changed = await destination(console)
    assert changed is not None
    assert isinstance(changed.authentication, IdentityAuthentication)
    assert (changed.authentication.client_id, changed.event_hub_name) == ("0-1", "d")
    fields = await form(console, CONNECTION)
    assert (fields["way"], fields["client_id"], fields["event_hub_name"]) == ("managed-identity", "0-1", "d")


async def test_another_connection_is_tested_and_not_kept(console: Console) -> None:
    before = console.world.configuration.document
    tested = await console.submit(f"{CONNECTION}/check", await form(console, CONNECTION, **SAS))
    assert "It works. The hub takes events; it has 2 partitions. Type the key again" in text_of(tested)
    assert KEY not in tested.text
    fields = fields_of(tested.text)
    assert (fields["namespace"], fields["key"]) == ("contoso", "")
    assert console.world.verifier.asked[0][1] == "d"
    assert (console.world.configuration.document, console.world.secrets.secrets) == (before, {})
    assert await go(console, CONNECTION, fields | {"key": KEY}) == f"{SETTINGS}?done=reconnected"


@pytest.mark.parametrize(
    ("fields", "problem", "field"),
    [
        ({}, ConnectionProblem("bad-key", "the namespace does not know this key"), "key"),
        ({}, ConnectionProblem("unknown-hub", "there is no such hub"), "event_hub_name"),
        ({"key_name": ""}, None, "key_name"),
        ({"way": "carrier pigeon"}, None, "way"),
    ],
    ids=["wrong key", "hub is gone", "no key name", "no way"],
)
async def test_what_is_wrong_with_a_connection_is_said_beside_its_field(
    console: Console, fields: dict[str, str], problem: ConnectionProblem | None, field: str
) -> None:
    if problem is not None:
        console.world.verifier.found["d"] = problem
    sent = await form(console, CONNECTION, **SAS | fields)
    refused = await console.submit(CONNECTION, sent)
    text_of(refused, 422)
    assert problems_in(refused.text) == {field}
    assert KEY not in refused.text
    assert console.world.secrets.secrets == {}
    assert 'name="force"' in refused.text
    if problem is not None:
        assert await go(console, CONNECTION, sent | {"force": "on"}) == f"{SETTINGS}?done=reconnected"


async def test_without_a_place_for_keys(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    await connected(console)
    monkeypatch.setattr(console.world.secrets, "writable", False)
    page = await console.get(CONNECTION)
    assert "no place for keys" in text_of(page)
    assert fields_of(page.text)["way"] == "app-setting"


async def backfill(console: Console) -> None:
    """Ask for one to the destination `d`."""
    await console.submit(f"{PAGE}/pause")
    await console.submit(f"{PAGE}/resume")
    await console.world.worker.plan_backfills.run()


async def undelivered(console: Console) -> None:
    """Two rows to the destination `d`, one to `e`."""
    for destination_id in ("d", "e"):
        console.world.break_down(destination_id)
    await console.world.handle(item("p", 1, segmentMembership=membership(1)))
    console.world.mend("e")
    await console.world.handle(item("q", 1, segmentMembership=membership(1)))
    console.world.mend("d")
    assert sorted(console.world.rows) == [("d", "p"), ("d", "q"), ("e", "p")]


async def later(console: Console) -> None:
    """What the timers do about it, once every worker knows."""
    for _ in range(2):
        await console.world.clock.sleep(120)
        await console.world.worker.watch_destinations.run()
        await console.world.worker.plan_backfills.run()


async def test_a_destination_is_removed_with_all_that_the_page_says(console: Console) -> None:
    await connected(console)
    await backfill(console)
    await undelivered(console)
    page = await console.get(REMOVE)
    text = text_of(page)
    assert "Remove D?" in text
    assert "and its key, in all its versions what it maps: 1 audience, 1 attribute 2 undelivered exports" in text
    assert "1 backfill : cancelled" in text
    assert await destination(console) is not None
    fields = fields_of(page.text)
    assert await go(console, REMOVE, fields) == "/console?done=removed"
    assert await destination(console) is None
    assert console.world.secrets.secrets == {}
    text = await console.page("/console?done=removed")
    assert "Removed." in text
    assert "All 1 " in text
    # A form that is sent twice.
    assert await go(console, REMOVE, fields) == "/console?done=removed"
    details = [entry.details for entry in console.world.audit.entries.values() if entry.what == f"POST {REMOVE}"]
    assert details == [["destination d removed", "dataflow d removed", "key of destination d deleted"], []]
    await later(console)
    assert not {key for key in console.world.rows if key[0] == "d"}
    (ended,) = await console.world.worker.plan_backfills.all()
    assert (str(ended.state), ended.note) == ("cancelled", "its dataflow was removed")
    assert [export for export in console.world.sender.sent if export.destination.id == "d"] == []


async def test_a_key_that_stays_is_told_of(console: Console) -> None:
    await connected(console)
    fields = await form(console, REMOVE)
    console.world.secrets.failure = SecretError("Key Vault: HTTP 403")
    assert await go(console, REMOVE, fields) == "/console?done=key-left"
    assert "but for its key" in await console.page("/console?done=key-left")
    assert await destination(console) is None


async def test_a_dataflow_is_removed_alone(console: Console) -> None:
    await undelivered(console)
    page = await console.get(UNMAP)
    text = text_of(page)
    assert "Remove the dataflow of D?" in text
    assert "what it maps: 1 audience, 1 attribute 2 undelivered exports : dropped, never sent no backfill" in text
    assert "its key" not in text
    fields = fields_of(page.text)
    stale = fields | {"etag": "another"}
    text_of(await console.submit(UNMAP, stale), 412)
    for _ in range(2):
        assert await go(console, UNMAP, fields) == f"{SETTINGS}?done=unmapped"
    page = await console.get(f"{SETTINGS}?done=unmapped")
    assert "No dataflow" in text_of(page)
    assert UNMAP not in page.text
    assert "there is nothing to remove" in await console.page(UNMAP, 404)
    await later(console)
    assert not {key for key in console.world.rows if key[0] == "d"}
    assert "nothing undelivered" in await console.page(REMOVE)


@pytest.mark.parametrize("path", [EDIT, CONNECTION, REMOVE, UNMAP])
async def test_a_destination_that_there_is_not(console: Console, path: str) -> None:
    assert "no destination with this id" in await console.page(path.replace("/d/", "/nobody/"), 404)


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [(EDIT, f"{SETTINGS}?done=edited"), (CONNECTION, f"{SETTINGS}?done=reconnected"), (REMOVE, "/console/alerts")],
)
async def test_manage_destinations_is_enough_and_shows_no_mappings(world: World, path: str, leads_to: str) -> None:
    world.verifier.found["d"] = Verified(("0",))
    async with Console(world, MANAGE) as console:
        page = await console.get(path)
        assert not re.search("backfill|1 audience", text_of(page))
        leads = await go(console, path, fields_of(page.text) | SAS | {"name": "Another"})
        assert leads.startswith(leads_to)
        await console.page(leads)


async def test_whoever_may_not_activate_is_offered_no_end_of_the_dataflow(world: World) -> None:
    seeing: Set[Permission] = {Permission.MANAGE_DESTINATIONS, Permission.VIEW_SEGMENTS}
    async with Console(world, seeing) as console:
        page = (await console.get(SETTINGS)).text
    assert REMOVE in page
    assert UNMAP not in page


async def test_metadata_and_static_properties_are_chosen_in_the_form(console: Console) -> None:
    fields = await form(console, EDIT)
    wrong = await console.submit(EDIT, fields | {"static_properties": "Table=Profiles\nreason=mine"})
    assert "each export has reason already" in text_of(wrong, 422)
    chosen = fields | {
        "include_export_metadata": "on",
        "keyed": "on",
        "settle": "on",
        "static_properties": "Table=Profiles\nPath = a=b",
    }
    await go(console, EDIT, chosen)
    changed = await destination(console)
    assert changed is not None
    assert changed.include_export_metadata
    assert changed.keyed
    assert changed.settle
    assert changed.static_properties == {"Table": "Profiles", "Path": "a=b"}
    assert re.search(
        "metadata in the body, a key, the greatest version last, the properties Table ?, Path",
        await console.page(SETTINGS),
    )
    assert "Table=Profiles" in (await console.get(EDIT)).text
