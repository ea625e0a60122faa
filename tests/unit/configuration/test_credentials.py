"""Connection strings as people paste them, and that a key shows up nowhere."""

from itertools import permutations

import pytest

from shared.domain.configuration.credentials import (
    IdentityCredentials,
    SasCredentials,
    SettingConnection,
    parse_connection_string,
    parse_setting,
    sas_credentials,
)
from shared.settings import Connection

KEY = "c2VjcmV0LWtleS1vZi1hLW5hbWVzcGFjZS1vci1odWI="
PARTS = [
    "Endpoint=sb://contoso.servicebus.windows.net/",
    "SharedAccessKeyName=send",
    f"SharedAccessKey={KEY}",
    "EntityPath=crm",
]
CREDENTIALS = SasCredentials("contoso.servicebus.windows.net", "send", KEY)


@pytest.mark.parametrize("parts", list(permutations(PARTS)))
@pytest.mark.parametrize("end", ["", ";", ";\n"])
def test_the_order_of_the_parts_is_free(parts: tuple[str, ...], end: str) -> None:
    pasted = parse_connection_string(";".join(parts) + end)
    assert (pasted.credentials, pasted.event_hub_name) == (CREDENTIALS, "crm")


def test_a_namespaces_connection_string_names_no_hub() -> None:
    assert parse_connection_string(";".join(PARTS[:3])).event_hub_name is None
    assert parse_connection_string(";".join(PARTS[:3]) + ";EntityPath=").event_hub_name is None


def test_names_of_parts_are_taken_in_any_case() -> None:
    text = f"ENDPOINT=sb://contoso.servicebus.windows.net;sharedaccesskeyname=send;SharedAccessKey={KEY}"
    assert parse_connection_string(text).credentials == CREDENTIALS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a connection string of an Event Hubs namespace or hub: Endpoint=sb://"),
        (KEY, "expected a connection string"),
        (KEY.rstrip("="), "expected a connection string"),
        (";".join(PARTS[1:]), "expected a connection string of"),
        (";".join([PARTS[0], PARTS[1]]), "expected a connection string of"),
        (";".join([*PARTS, PARTS[2]]), "each once"),
        (";".join([PARTS[0], f"SharedAccessSignature={KEY}"]), "SharedAccessSignature expires"),
        (";".join([PARTS[0], "SharedAccessKeyName=", PARTS[2]]), "expected the name of a shared access policy"),
        (";".join([PARTS[0], PARTS[1], "SharedAccessKey="]), "expected the key of the shared access policy"),
        (";".join([PARTS[0], PARTS[1], f"SharedAccessKey={KEY[:9]} {KEY[9:]}"]), "without spaces"),
        (";".join(["Endpoint=https://contoso.servicebus.windows.net/", *PARTS[1:]]), "Endpoint: expected sb://"),
        (";".join(["Endpoint=contoso.servicebus.windows.net", *PARTS[1:]]), "Endpoint: expected sb://"),
        (";".join(["Endpoint=sb://127.0.0.1:5672", *PARTS[1:]]), "expected the name of an Event Hubs namespace"),
        (";".join(["Endpoint=sb://169.254.169.254/", *PARTS[1:]]), "expected the name of an Event Hubs namespace"),
        (";".join(["Endpoint=sb://evil.example/.servicebus.windows.net/", *PARTS[1:]]), "expected the name of"),
        (";".join(["Endpoint=sb://u:p@contoso.servicebus.windows.net/", *PARTS[1:]]), "expected the name of"),
        (f"DefaultEndpointsProtocol=https;AccountName=relay;AccountKey={KEY}", "of an Event Hubs namespace or hub"),
    ],
)
def test_what_is_no_connection_string_is_refused_and_not_repeated(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as refused:
        parse_connection_string(text)
    assert KEY[:9] not in str(refused.value)


def test_the_local_stacks_connection_string_is_for_the_local_stack_alone() -> None:
    text = "Endpoint=sb://127.0.0.1:5672;SharedAccessKeyName=send;SharedAccessKey=k;UseDevelopmentEmulator=true;"
    assert parse_connection_string(text, local_allowed=True).credentials == SasCredentials(
        "127.0.0.1:5672", "send", "k"
    )
    with pytest.raises(ValueError, match="expected the name of an Event Hubs namespace"):
        parse_connection_string(text)


def test_the_emulator_needs_no_port() -> None:
    text = "Endpoint=sb://localhost;SharedAccessKeyName=send;SharedAccessKey=k;UseDevelopmentEmulator=true;"
    assert parse_connection_string(text, local_allowed=True).credentials.namespace == "localhost:5672"


@pytest.mark.parametrize(
    "text",
    [
        "; ".join(PARTS),
        ";;".join(PARTS) + ";;",
        ";\r\n".join(PARTS),
        ";".join(part.replace("=", " = ", 1) for part in PARTS),
        f"  {';'.join(PARTS)}\n",
        ";".join([*PARTS, "TransportType=AmqpWebSockets"]),
        ";".join(["OperationTimeout=00:01:00", *PARTS]),
        ";".join([*PARTS, "UseDevelopmentEmulator=true"]),
    ],
)
def test_what_people_and_tools_add_changes_nothing(text: str) -> None:
    pasted = parse_connection_string(text)
    assert (pasted.credentials, pasted.event_hub_name) == (CREDENTIALS, "crm")
    assert parse_setting(Connection("EVENTHUBS", connection_string=text)) == SettingConnection(CREDENTIALS, "crm")


@pytest.mark.parametrize("namespace", ["contoso", "Contoso.servicebus.windows.net"])
def test_a_setting_may_name_a_namespace_for_an_identity(namespace: str) -> None:
    found = parse_setting(Connection("EVENTHUBS", endpoint=namespace, client_id="4c0f"))
    assert found == SettingConnection(IdentityCredentials("contoso.servicebus.windows.net", "4c0f"))


@pytest.mark.parametrize(
    "connection",
    [
        Connection("HUBS_2", connection_string=f"Endpoint=sb://127.0.0.1:1;{PARTS[1]};{PARTS[2]}"),
        Connection("HUBS_2", connection_string="nonsense"),
        Connection("HUBS_2", endpoint="https://contoso.servicebus.windows.net"),
    ],
)
def test_a_setting_that_is_wrong_is_named(connection: Connection) -> None:
    with pytest.raises(ValueError, match=r"^app setting HUBS_2: ") as refused:
        parse_setting(connection)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("key_name", ["", " send", "se\nnd"])
def test_a_key_needs_a_name(key_name: str) -> None:
    with pytest.raises(ValueError, match="name of a shared access policy, such as RootManageSharedAccessKey"):
        sas_credentials("contoso", key_name, KEY)


def test_keys_are_told_apart_without_being_shown() -> None:
    other = SasCredentials("contoso.servicebus.windows.net", "send", KEY.lower())
    assert (CREDENTIALS.key_hint, len(CREDENTIALS.key_fingerprint)) == ("dWI=", 12)
    assert CREDENTIALS.key_fingerprint != other.key_fingerprint
    assert CREDENTIALS.key_fingerprint == sas_credentials("contoso", "other", KEY).key_fingerprint
    assert KEY not in f"{CREDENTIALS!r} {CREDENTIALS}"
    assert SasCredentials("n", "k", "short").key_hint == ""


def test_an_identity_has_nothing_to_hide() -> None:
    assert repr(IdentityCredentials("contoso.servicebus.windows.net")).endswith("client_id=None)")
