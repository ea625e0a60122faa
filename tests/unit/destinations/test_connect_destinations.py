"""Connecting and rotating: first it is looked whether it works, then the key is kept, and it is shown to nobody."""

from collections.abc import Callable

import pytest
from pydantic import SecretStr, ValidationError

from shared.domain.configuration.credentials import IdentityCredentials, SasCredentials
from shared.domain.configuration.given_connection import (
    AppSetting,
    ConnectionString,
    GivenConnection,
    ManagedIdentity,
    NewKey,
    SasKey,
)
from shared.domain.configuration.model import Destination, IdentityAuthentication, SasAuthentication, SecretReference
from shared.errors import ConfigurationError, ConnectionFailedError, NoSecretStoreError, SecretError
from shared.ports.connections import ConnectionProblem, Verified
from shared.services.destinations.connect import ConnectDestinations
from shared.settings import Settings
from tests.kit.fakes.configuration import MemorySecrets, ScriptedVerifier
from tests.kit.world import World

KEY = "c2VjcmV0LWtleS1vZi1hLW5hbWVzcGFjZS1vci1odWI="
OTHER_KEY = "b3RoZXIta2V5LW9mLWEtbmFtZXNwYWNlLW9yLWh1Yg=="
HOST = "contoso.servicebus.windows.net"
CREDENTIALS = SasCredentials(HOST, "send", KEY)
GIVEN = SasKey(type="sas", namespace=HOST, key_name="send", key=SecretStr(KEY))
IDENTITY = ManagedIdentity(type="managed-identity", namespace="contoso", client_id="4c0f")
NEW_KEY = NewKey(key=SecretStr(OTHER_KEY))
NO_MANAGE = ConnectionProblem("no-manage-claim", "name the hub")


class Office:
    """The service over fakes: a namespace with the hub `crm`, whose hubs may be listed."""

    def __init__(self, *, local: bool = False) -> None:
        self.secrets = MemorySecrets()
        self.verifier = ScriptedVerifier()
        self.verifier.found["crm"] = Verified(("0", "1"))
        self.verifier.hubs = ("analytics", "crm")
        settings = Settings.from_environment(
            {
                "HUB": f"Endpoint=sb://{HOST}/;SharedAccessKeyName=send;SharedAccessKey={KEY};EntityPath=crm",
                "IDENTITY__fullyQualifiedNamespace": HOST,
                "IDENTITY__clientId": "4c0f",
                "STORAGE": f"AccountName=a;AccountKey={KEY}",
            }
        )
        self.service = ConnectDestinations(
            secrets=self.secrets,
            verifier=self.verifier,
            setting=settings.event_hubs,
            local=local,
            old_key_needed=65.0,
        )


@pytest.fixture
def office() -> Office:
    return Office()


async def test_a_check_tells_what_there_is_and_stores_nothing(office: Office) -> None:
    report = await office.service.check(GIVEN, "crm")
    assert (report.reachable, report.partitions, report.hubs) == (True, ("0", "1"), ("analytics", "crm"))
    assert (report.problem, report.hubs_problem) == (None, None)
    assert office.secrets.secrets == {}
    assert KEY not in repr(report)


async def test_a_hub_that_is_not_there_is_told_with_those_that_are(office: Office) -> None:
    report = await office.service.check(GIVEN, "crn")
    assert report.problem == ConnectionProblem("unknown-hub", "there is no crn")
    assert (report.reachable, report.partitions, report.hubs) == (False, (), ("analytics", "crm"))


async def test_a_key_that_may_only_send_is_good_enough_where_the_hub_is_named(office: Office) -> None:
    office.verifier.hubs = NO_MANAGE
    named = await office.service.check(GIVEN, "crm")
    assert (named.reachable, named.hubs, named.hubs_problem) == (True, None, NO_MANAGE)
    unnamed = await office.service.check(GIVEN, None)
    assert (unnamed.reachable, unnamed.problem) == (False, NO_MANAGE)


async def test_without_a_hub_only_the_namespace_is_looked_at(office: Office) -> None:
    report = await office.service.check(GIVEN, None)
    assert (report.reachable, report.hubs) == (True, ("analytics", "crm"))
    assert office.verifier.asked == []


REFUSED = (ConfigurationError, ValidationError)
"""What leads nowhere is refused as it is read, what leads elsewhere before it is connected to."""
PASTED = f"Endpoint=sb://{{}}/;SharedAccessKeyName=send;SharedAccessKey={KEY}"


@pytest.mark.parametrize("namespace", ["127.0.0.1:5672", "169.254.169.254", "localhost", "evil.example"])
@pytest.mark.parametrize(
    "given",
    [
        lambda namespace: GIVEN.model_copy(update={"namespace": namespace}),
        lambda namespace: ConnectionString(
            type="connection-string", connection_string=SecretStr(PASTED.format(namespace))
        ),
        lambda namespace: ManagedIdentity(type="managed-identity", namespace=namespace),
    ],
)
async def test_nothing_elsewhere_is_connected_to(
    office: Office, namespace: str, given: Callable[[str], GivenConnection]
) -> None:
    for attempt in (
        lambda: office.service.check(given(namespace), "crm"),
        lambda: office.service.connect("crm", given(namespace), "crm", force=True),
    ):
        with pytest.raises(REFUSED, match=r"expected the name of an Event Hubs namespace") as refused:
            await attempt()
        assert KEY not in str(refused.value)
    assert (office.verifier.asked, office.secrets.secrets) == ([], {})


async def test_the_local_stack_may_connect_to_its_own_hubs() -> None:
    office = Office(local=True)
    report = await office.service.check(GIVEN.model_copy(update={"namespace": "127.0.0.1:5672"}), "crm")
    assert report.reachable


async def test_connecting_keeps_the_key_as_a_secret_and_says_where(office: Office) -> None:
    connected = await office.service.connect("crm", GIVEN.model_copy(update={"namespace": "contoso"}), "crm")
    version, *_ = office.secrets.secrets["profile-relay-crm"]
    assert connected.members["authentication"] == SasAuthentication(
        type="sas",
        namespace=HOST,
        key_name="send",
        secret=SecretReference(name="profile-relay-crm", version=version),
        key_hint="dWI=",
        key_fingerprint=CREDENTIALS.key_fingerprint,
    )
    assert office.secrets.secrets == {"profile-relay-crm": {version: KEY}}
    assert KEY not in f"{connected!r}{connected.members['authentication'].model_dump_json()}"


async def test_the_longest_id_of_a_destination_makes_a_secrets_name(office: Office) -> None:
    connected = await office.service.connect("d" * 63, GIVEN, "crm")
    assert isinstance(connected.members["authentication"], SasAuthentication)
    assert connected.members["authentication"].secret.name == "profile-relay-" + "d" * 63


async def test_a_connection_that_fails_keeps_nothing_unless_it_is_forced(office: Office) -> None:
    with pytest.raises(ConnectionFailedError, match="there is no crn") as failed:
        await office.service.connect("crm", GIVEN, "crn")
    assert (failed.value.kind, failed.value.hubs) == ("unknown-hub", ("analytics", "crm"))
    assert office.secrets.secrets == {}

    forced = await office.service.connect("crm", GIVEN, "crn", force=True)
    assert forced.report.problem == ConnectionProblem("unknown-hub", "there is no crn")
    assert len(office.secrets.secrets["profile-relay-crm"]) == 1


async def test_an_identity_is_connected_without_a_secret(office: Office) -> None:
    connected = await office.service.connect("crm", IDENTITY, "crm")
    identity = IdentityAuthentication(type="managed-identity", namespace=HOST, client_id="4c0f")
    assert connected.members["authentication"] == identity
    assert office.secrets.secrets == {}


def destination_with(authentication: SasAuthentication | IdentityAuthentication | None) -> Destination:
    return Destination(id="crm", name="CRM", event_hub_name="crm", authentication=authentication)


async def test_rotating_keeps_the_old_key_beside_the_new_one(office: Office) -> None:
    connected = await office.service.connect("crm", GIVEN, "crm")
    before = connected.members["authentication"]
    assert isinstance(before, SasAuthentication)

    rotated = await office.service.rotate(destination_with(before), NEW_KEY)

    after = rotated.members["authentication"]
    assert isinstance(after, SasAuthentication)
    assert office.verifier.asked[-1] == (SasCredentials(HOST, "send", OTHER_KEY), "crm")
    assert (after.key_name, after.namespace, after.key_hint) == ("send", HOST, "Yg==")
    assert after.secret.name == before.secret.name
    assert await office.secrets.read(before.secret.name, before.secret.version) == KEY
    assert await office.secrets.read(after.secret.name, after.secret.version) == OTHER_KEY


async def test_a_destination_can_go_over_to_another_policy(office: Office) -> None:
    before = (await office.service.connect("crm", GIVEN, "crm")).members["authentication"]
    rotated = await office.service.rotate(destination_with(before), NewKey(key=NEW_KEY.key, key_name="send-2"))
    assert isinstance(rotated.members["authentication"], SasAuthentication)
    assert rotated.members["authentication"].key_name == "send-2"


async def test_a_new_key_that_does_not_work_is_not_kept(office: Office) -> None:
    before = (await office.service.connect("crm", GIVEN, "crm")).members["authentication"]
    office.verifier.found["crm"] = ConnectionProblem("bad-key", "was it regenerated?")
    with pytest.raises(ConnectionFailedError, match="was it regenerated"):
        await office.service.rotate(destination_with(before), NEW_KEY)
    assert list(office.secrets.secrets["profile-relay-crm"].values()) == [KEY]


@pytest.mark.parametrize(
    ("authentication", "how"),
    [
        (None, "by the app setting EVENTHUBS"),
        (IdentityAuthentication(type="managed-identity", namespace="contoso"), "by a managed identity"),
    ],
)
async def test_only_a_key_can_be_rotated(
    office: Office, authentication: IdentityAuthentication | None, how: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"destination crm: expected one with a key .* connected {how}"):
        await office.service.rotate(destination_with(authentication), NEW_KEY)


async def test_a_key_with_a_space_in_it_is_refused_unread(office: Office) -> None:
    before = (await office.service.connect("crm", GIVEN, "crm")).members["authentication"]
    with pytest.raises(REFUSED, match="without spaces") as refused:
        await office.service.rotate(destination_with(before), NewKey(key=SecretStr(f"{OTHER_KEY} ")))
    assert OTHER_KEY not in str(refused.value)


@pytest.mark.parametrize("failure", [SecretError("the vault is away"), NoSecretStoreError("set KEY_VAULT_URI")])
async def test_a_key_that_cannot_be_kept_is_an_error(office: Office, failure: SecretError) -> None:
    office.secrets.failure = failure
    with pytest.raises(type(failure), match=str(failure)):
        await office.service.connect("crm", GIVEN, "crm")


@pytest.mark.parametrize(("setting", "shown"), [("HUB", CREDENTIALS), ("IDENTITY", IdentityCredentials(HOST, "4c0f"))])
async def test_an_app_setting_is_looked_at_as_what_it_holds(
    office: Office, setting: str, shown: SasCredentials | IdentityCredentials
) -> None:
    connected = await office.service.connect("d", AppSetting(type="app-setting", setting=setting), "crm")
    assert office.verifier.asked == [(shown, "crm")]
    assert connected.members == {"connection": setting, "authentication": None, "event_hub_name": "crm"}
    assert office.secrets.secrets == {}


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("STORAGE", "app setting STORAGE: expected a connection string of an Event Hubs"),
        ("NONE", "app setting NONE"),
    ],
)
async def test_an_app_setting_that_holds_no_connection_is_told_without_what_it_holds(
    office: Office, setting: str, expected: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^/connection/setting: {expected}") as refused:
        await office.service.check(AppSetting(type="app-setting", setting=setting), "crm")
    assert KEY not in str(refused.value)


async def test_what_is_forgotten_is_gone_in_all_versions(office: Office) -> None:
    before = (await office.service.connect("crm", GIVEN, "crm")).members["authentication"]
    await office.service.rotate(destination_with(before), NEW_KEY)
    assert await office.service.forget(destination_with(before), [])
    assert office.secrets.secrets == {}


async def test_a_key_that_another_destination_uses_is_not_forgotten(office: Office) -> None:
    authentication = (await office.service.connect("crm", GIVEN, "crm")).members["authentication"]
    removed = destination_with(authentication)
    assert not await office.service.forget(removed, [removed.model_copy(update={"id": "other"})])
    assert not await office.service.forget(destination_with(None), [])
    borrowing = removed.model_copy(update={"id": "other"})
    assert not await office.service.forget(borrowing, [])
    assert list(office.secrets.secrets) == ["profile-relay-crm"]


def test_it_is_wired_with_the_margin_that_backfills_wait_for() -> None:
    world = World()
    service = world.worker.connect_destinations
    assert service.keeps_keys
    assert service.old_key_needed == Settings.from_environment({}).backfill_delay == 65.0
