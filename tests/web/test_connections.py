"""Connecting over the API: checked first, kept then; and no answer, error or audit row ever tells a key."""

from typing import Any

import pytest

from shared.domain.configuration.credentials import SasCredentials
from shared.domain.configuration.model import SasAuthentication
from shared.errors import NoSecretStoreError, SecretError
from shared.ports.connections import ConnectionProblem, Verified
from shared.services.wiring import Services
from shared.settings import Settings
from tests.kit.api import Api
from tests.kit.console import Console
from tests.kit.world import World

KEY = "c2VjcmV0LWtleS1vZi1hLW5hbWVzcGFjZS1vci1odWI="
OTHER_KEY = "b3RoZXIta2V5LW9mLWEtbmFtZXNwYWNlLW9yLWh1Yg=="
HOST = "contoso.servicebus.windows.net"
SAS = {"type": "sas", "namespace": "contoso", "keyName": "send", "key": KEY}
NEW = {"id": "crm", "name": "CRM", "eventHubName": "crm", "connection": SAS}
PATH = "/api/destinations/crm"


@pytest.fixture
def world() -> World:
    """With a hub `crm` that can be sent to, in a namespace whose hubs may be listed."""
    world = World()
    world.verifier.found["crm"] = Verified(("0", "1"))
    world.verifier.hubs = ("analytics", "crm")
    return world


def said(world: World) -> str:
    """The configuration and the audit log, whole."""
    return world.configuration.document + repr(list(world.audit.entries.values()))


CHECKED = {"partitions": ["0", "1"], "hubs": ["analytics", "crm"], "hubsProblem": None, "problem": None}


async def test_the_addresses_that_hubs_are_reached_from_are_told(api: Api, world: World) -> None:
    """To programs, and to people on the page where a destination is connected."""
    console = Console(world)
    assert await api.expect(200, "GET", "/api/egress-addresses") == {"addresses": []}
    assert "connects from" not in await console.page("/console/destinations/new")

    world.worker = Services(world.ports, Settings.from_environment({"EGRESS_ADDRESSES": "20.50.1.0/28,20.50.2.7"}))

    assert await api.expect(200, "GET", "/api/egress-addresses") == {"addresses": ["20.50.1.0/28", "20.50.2.7"]}
    shown = await console.page("/console/destinations/new")
    assert "list 20.50.1.0/28 , 20.50.2.7 : that is where this app connects from" in shown


@pytest.mark.parametrize(
    ("connection", "key_name"),
    [
        (SAS, "send"),
        (SAS | {"namespace": HOST}, "send"),
        (
            {
                "type": "connection-string",
                "connectionString": f"Endpoint=sb://{HOST}/;SharedAccessKeyName=all;SharedAccessKey={KEY}",
            },
            "all",
        ),
    ],
)
async def test_a_connection_is_checked_and_not_kept(api: Api, connection: dict[str, Any], key_name: str) -> None:
    given = {"connection": connection, "eventHubName": "crm"}
    assert await api.expect(200, "POST", "/api/connections/check", json=given) == {"reachable": True} | CHECKED
    assert api.world.verifier.asked == [(SasCredentials(HOST, key_name, KEY), "crm")]
    assert api.world.secrets.secrets == {}
    (entry,) = api.world.audit.entries.values()
    assert (entry.what, entry.details) == ("POST /api/connections/check", [])


async def test_what_is_wrong_is_an_answer_of_a_check(api: Api) -> None:
    found = await api.expect(200, "POST", "/api/connections/check", json={"connection": SAS, "eventHubName": "crn"})
    assert (found["reachable"], found["hubs"]) == (False, ["analytics", "crm"])
    assert found["problem"] == {"kind": "unknown-hub", "message": "there is no crn"}


async def test_without_a_hub_the_namespaces_are_listed(api: Api) -> None:
    found = await api.expect(200, "POST", "/api/connections/check", json={"connection": SAS})
    assert (found["reachable"], found["hubs"]) == (True, ["analytics", "crm"])


async def test_a_destination_is_connected(api: Api) -> None:
    answer = await api.post("/api/destinations", json=NEW | {"includeSegmentNames": True})
    assert (answer.status_code, answer.headers["location"]) == (201, PATH)
    shown = answer.json()
    (version,) = api.world.secrets.secrets["profile-relay-crm"]
    assert shown["authentication"]["secret"] == {"name": "profile-relay-crm", "version": version}
    assert (shown["authentication"]["namespace"], shown["authentication"]["keyHint"]) == (HOST, "dWI=")
    assert (shown["includeSegmentNames"], shown["warnings"]) == (
        True,
        ["has no dataflow, so nothing is exported to it"],
    )
    again = await api.get(PATH)
    assert (again.json(), again.headers["etag"]) == (shown, answer.headers["etag"])
    assert await api.world.secrets.read("profile-relay-crm", version) == KEY
    assert KEY not in answer.text + said(api.world)
    (entry,) = api.world.audit.entries.values()
    assert entry.details == ["destination crm created"]


async def test_a_connection_string_that_names_the_hub_is_enough(api: Api) -> None:
    text = f"SharedAccessKey={KEY};EntityPath=crm;SharedAccessKeyName=send;Endpoint=sb://{HOST}"
    given = {"id": "crm", "name": "CRM", "connection": {"type": "connection-string", "connectionString": text}}
    assert (await api.expect(201, "POST", "/api/destinations", json=given))["eventHubName"] == "crm"
    api.world.verifier.found["analytics"] = Verified(("0",))
    named = await api.expect(201, "POST", "/api/destinations", json=given | {"id": "x", "eventHubName": "analytics"})
    assert named["eventHubName"] == "analytics"


async def test_a_hub_that_is_not_named_is_asked_for_with_those_there_are(api: Api) -> None:
    given = {name: value for name, value in NEW.items() if name != "eventHubName"}
    problem = await api.expect(422, "POST", "/api/destinations", json=given)
    assert problem["detail"] == "/eventHubName: expected the name of an Event Hub; there are analytics, crm"


async def test_an_identity_needs_no_key(api: Api) -> None:
    identity = {"type": "managed-identity", "namespace": "contoso", "clientId": "4c0f"}
    shown = await api.expect(201, "POST", "/api/destinations", json=NEW | {"connection": identity})
    assert shown["authentication"] == identity | {"namespace": HOST}
    assert api.world.secrets.secrets == {}


async def test_an_id_that_is_taken_is_refused_before_anything_is_done(api: Api) -> None:
    problem = await api.expect(409, "POST", "/api/destinations", json=NEW | {"id": "d"})
    assert "there is a destination 'd' already" in problem["detail"]
    assert (api.world.verifier.asked, api.world.secrets.secrets) == ([], {})


async def test_of_a_connection_that_fails_nothing_is_kept_unless_it_is_forced(api: Api) -> None:
    before = api.world.configuration.document
    api.world.verifier.found["crm"] = ConnectionProblem("bad-key", "was it regenerated?")
    problem = await api.expect(422, "POST", "/api/destinations", json=NEW)
    assert problem["detail"] == "was it regenerated?"
    assert problem["errors"] == ["bad-key: was it regenerated?", "the namespace has the hubs analytics, crm"]
    assert (api.world.configuration.document, api.world.secrets.secrets) == (before, {})

    shown = await api.expect(201, "POST", "/api/destinations?force=true", json=NEW)
    assert "was it regenerated?" in shown["warnings"]
    assert list(api.world.audit.entries.values())[-1].details == [
        "destination crm created",
        "forced in spite of bad-key",
    ]


@pytest.mark.parametrize(
    "namespace",
    [
        "169.254.169.254",
        "127.0.0.1:5672",
        "localhost",
        "evil.example",
        "contoso.servicebus.windows.net.evil.example",
        "contoso.servicebus.windows.net:5671",
        "user@contoso.servicebus.windows.net",
        "xn--conts-fya",
    ],
)
async def test_nothing_elsewhere_is_connected_to(api: Api, namespace: str) -> None:
    pasted = f"Endpoint=sb://{namespace}/;SharedAccessKeyName=send;SharedAccessKey={KEY}"
    for connection in (
        SAS | {"namespace": namespace},
        {"type": "managed-identity", "namespace": namespace},
        {"type": "connection-string", "connectionString": pasted},
    ):
        for path, given in (
            ("/api/connections/check", {"connection": connection, "eventHubName": "crm"}),
            ("/api/destinations?force=true", NEW | {"connection": connection}),
        ):
            problem = await api.expect(422, "POST", path, json=given)
            assert "expected the name of an Event Hubs namespace" in problem["detail"]
            assert KEY not in str(problem)
    assert (api.world.verifier.asked, api.world.secrets.secrets) == ([], {})


@pytest.mark.parametrize(
    ("connection", "problem"),
    [
        ({}, "/connection: expected an object with a type"),
        ({"type": "key"}, "/connection: expected its type to be one of"),
        (SAS | {"key": 7}, "/connection/key: expected a string"),
        (
            SAS | {"key": f"{KEY} {KEY}"},
            "/connection/key: expected the key of the shared access policy, without spaces",
        ),
        (SAS | {"secret": KEY}, "/connection/secret: expected no such field"),
        (
            {"type": "connection-string", "connectionString": KEY},
            "/connection/connectionString: expected a connection string",
        ),
        ({"type": "app-setting", "setting": f"Endpoint=sb://{HOST}/;SharedAccessKey={KEY}"}, "/connection/setting:"),
    ],
)
async def test_what_is_malformed_is_told_without_the_key(api: Api, connection: dict[str, Any], problem: str) -> None:
    answer = await api.expect(422, "POST", "/api/destinations", json=NEW | {"connection": connection})
    assert answer["detail"].startswith(problem)
    assert KEY not in str(answer) + said(api.world)


async def test_a_key_is_rotated_and_the_old_one_stays_as_long_as_it_is_needed(api: Api) -> None:
    connected = await api.post("/api/destinations", json=NEW)
    before = SasAuthentication.model_validate(connected.json()["authentication"])
    dataflow = await api.expect(201, "PUT", "/api/dataflows/crm", json={"audiences": ["a"]})

    answer = await api.post(
        f"{PATH}/connection/rotate", json={"key": OTHER_KEY}, headers={"If-Match": connected.headers["etag"]}
    )

    assert answer.status_code == 200
    after = SasAuthentication.model_validate(answer.json()["destination"]["authentication"])
    secrets = api.world.secrets
    assert await secrets.read(before.secret.name, before.secret.version) == KEY
    assert await secrets.read(after.secret.name, after.secret.version) == OTHER_KEY
    assert (after.key_name, after.key_hint, after.key_fingerprint != before.key_fingerprint) == ("send", "Yg==", True)
    assert answer.json()["oldKeyNeededUntil"] == "2026-01-11T22:01:05Z"  # 2 x CONFIG_CACHE_SECONDS + SEND_TIMEOUT
    assert await api.expect(200, "GET", "/api/dataflows/crm") == dataflow  # nothing is exported again for it
    await api.expect(412, "POST", f"{PATH}/connection/rotate", json={"key": KEY}, headers={"If-Match": '"old"'})
    assert not any(key in said(api.world) for key in (KEY, OTHER_KEY))


async def test_a_new_key_that_does_not_work_changes_nothing(api: Api) -> None:
    await api.expect(201, "POST", "/api/destinations", json=NEW)
    before = api.world.configuration.document
    api.world.verifier.found["crm"] = ConnectionProblem("no-send-claim", "the policy may not send")
    problem = await api.expect(422, "POST", f"{PATH}/connection/rotate", json={"key": OTHER_KEY})
    assert problem["detail"] == "the policy may not send"
    assert list(api.world.secrets.secrets["profile-relay-crm"].values()) == [KEY]
    assert api.world.configuration.document == before


async def test_only_a_key_is_rotated(api: Api) -> None:
    problem = await api.expect(422, "POST", "/api/destinations/d/connection/rotate", json={"key": OTHER_KEY})
    assert "connected by the app setting EVENTHUBS" in problem["detail"]
    await api.expect(404, "POST", "/api/destinations/nobody/connection/rotate", json={"key": OTHER_KEY})


async def test_a_destination_is_connected_otherwise(api: Api) -> None:
    api.world.verifier.found["d"] = Verified(("0",))
    path = "/api/destinations/d/connection"
    etag = (await api.get("/api/destinations/d")).headers["etag"]
    shown = await api.expect(200, "PUT", path, json=SAS, headers={"If-Match": etag})
    assert shown["authentication"]["keyName"] == "send"
    await api.expect(412, "PUT", path, json=SAS, headers={"If-Match": etag})
    identity = {"type": "managed-identity", "namespace": "contoso"}
    assert (await api.expect(200, "PUT", path, json=identity))["authentication"]["type"] == "managed-identity"
    await api.expect(404, "PUT", "/api/destinations/nobody/connection", json=SAS)


async def test_a_destination_goes_over_to_an_app_setting_and_back(api: Api) -> None:
    pasted = f"Endpoint=sb://{HOST}/;SharedAccessKeyName=send;SharedAccessKey={KEY}"
    environment = {"HUB": pasted, "STORAGE": f"AccountName=a;AccountKey={KEY}"}
    api.world.worker = Services(api.world.ports, Settings.from_environment(environment))
    await api.expect(201, "POST", "/api/destinations", json=NEW)
    path = f"{PATH}/connection"

    shown = await api.expect(200, "PUT", path, json={"type": "app-setting", "setting": "HUB"})
    assert (shown["connection"], shown["authentication"]) == ("HUB", None)
    assert api.world.verifier.asked[-1] == (SasCredentials(HOST, "send", KEY), "crm")
    assert (await api.expect(200, "PUT", path, json=SAS))["authentication"]["type"] == "sas"
    for setting, expected in (
        ("NONE", "/connection/setting: app setting NONE: expected an Event Hubs connection string"),
        (
            "STORAGE",
            "/connection/setting: app setting STORAGE: expected a connection string of an Event Hubs namespace or hub",
        ),
    ):
        problem = await api.expect(422, "PUT", path, json={"type": "app-setting", "setting": setting})
        assert problem["detail"].startswith(expected)
        assert KEY not in str(problem)


async def test_details_are_changed_without_a_word_about_the_connection(api: Api) -> None:
    shown = await api.expect(201, "POST", "/api/destinations", json=NEW)
    changed = await api.expect(200, "PUT", PATH, json={"name": "Renamed", "eventHubName": "crm"})
    assert changed["authentication"] == shown["authentication"]
    assert (await api.expect(200, "PUT", PATH, json=shown))["name"] == "CRM"
    other = shown["authentication"] | {"namespace": "elsewhere"}
    problem = await api.expect(422, "PUT", PATH, json=shown | {"authentication": other})
    assert problem["detail"].startswith("/authentication: expected it as it is")


async def test_a_destination_that_is_removed_takes_its_key_along(api: Api) -> None:
    await api.expect(201, "POST", "/api/destinations", json=NEW)
    await api.expect(204, "DELETE", PATH)
    assert api.world.secrets.secrets == {}
    assert "key of destination crm deleted" in list(api.world.audit.entries.values())[-1].details


async def test_a_key_that_cannot_be_deleted_is_noted(api: Api) -> None:
    await api.expect(201, "POST", "/api/destinations", json=NEW)
    api.world.secrets.failure = SecretError("the vault is away")
    await api.expect(204, "DELETE", PATH)
    await api.expect(404, "GET", PATH)
    assert "its key is left: the vault is away" in list(api.world.audit.entries.values())[-1].details


@pytest.mark.parametrize(
    ("failure", "status"), [(SecretError("the vault is away"), 503), (NoSecretStoreError("set KEY_VAULT_URI"), 409)]
)
async def test_a_key_that_cannot_be_kept_connects_nothing(api: Api, failure: SecretError, status: int) -> None:
    before = api.world.configuration.document
    api.world.secrets.failure = failure
    assert (await api.expect(status, "POST", "/api/destinations", json=NEW))["detail"] == str(failure)
    assert api.world.configuration.document == before
