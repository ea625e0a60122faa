"""The app settings: defaults, refusals that say what would do, and no secret where it could be read."""

import pytest

from shared.errors import SettingError
from shared.hosting import RELAY_STORAGE
from shared.settings import PROFILE_BUCKETS, Settings

KEY = "c2VjcmV0LWtleS1vZi1hLXN0b3JhZ2UtYWNjb3VudA=="
STORAGE = f"DefaultEndpointsProtocol=https;AccountName=relay;AccountKey={KEY};EndpointSuffix=core.windows.net"
HUB = f"Endpoint=sb://relay.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey={KEY}"


def settings_of(**environment: str) -> Settings:
    return Settings.from_environment(environment)


def test_nothing_need_be_set_until_it_is_used() -> None:
    settings = settings_of()
    assert (settings.config_cache_seconds, settings.send_timeout) == (30.0, 5.0)
    assert settings.profile_accounts == ("RELAY_STORAGE",) * 1_024
    assert (RELAY_STORAGE, PROFILE_BUCKETS) == ("RELAY_STORAGE", 1_024)


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 5.0), ("7", 7.0), ("0.25", 0.25), ("1e2", 100.0), (" 3 ", 3.0), ("+4", 4.0)]
)
def test_a_number_of_seconds_is_taken_and_an_empty_setting_is_none(text: str, seconds: float) -> None:
    assert settings_of(SEND_TIMEOUT=text).send_timeout == seconds


@pytest.mark.parametrize(
    "text", ["soon", "0", "-1", "0.0", "nan", "inf", "-inf", "1e400", "5s", "5,5", "00:00:05", "0x5", " "]
)
def test_a_malformed_number_is_refused_by_name_with_one_that_would_do(text: str) -> None:
    for name, default in [("SEND_TIMEOUT", 5), ("CONFIG_CACHE_SECONDS", 30)]:
        with pytest.raises(SettingError) as error:
            settings_of(**{name: text})
        assert str(error.value) == f"app setting {name}: expected a number above 0, such as {default}"


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("", ()),
        ("20.50.1.0/28", ("20.50.1.0/28",)),
        (" 20.50.1.0/28 , 20.50.2.7,2603:1020::/64", ("20.50.1.0/28", "20.50.2.7", "2603:1020::/64")),
    ],
)
def test_egress_addresses_are_shown_as_they_are_given(text: str, addresses: tuple[str, ...]) -> None:
    assert settings_of(EGRESS_ADDRESSES=text).egress_addresses == addresses


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        ("https://relay.contoso.com", ("https://relay.contoso.com",)),
        (
            " https://Relay.contoso.com/ , http://a:80,https://b:444",
            ("https://relay.contoso.com", "http://a", "https://b:444"),
        ),
        ("https://[2001:db8::1]:443", ("https://[2001:db8::1]",)),
    ],
)
def test_public_origins_are_written_as_browsers_do(text: str, origins: tuple[str, ...]) -> None:
    assert settings_of(PUBLIC_ORIGINS=text).public_origins == origins


@pytest.mark.parametrize(
    "text", ["relay.contoso.com", "https://a/b", "https://a;https://b", "https://", "*", ",", "ftp://a", "https://u@a"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match=r"^app setting PUBLIC_ORIGINS: expected .* such as https://"):
        settings_of(PUBLIC_ORIGINS=text)


@pytest.mark.parametrize(
    "text", ["20.50.1", "20.50.1.0/33", "20.50.1.1/28", "relay.example.com", "20.50.1.0;", ",", " "]
)
def test_what_is_no_egress_address_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match=r"^app setting EGRESS_ADDRESSES: expected IP addresses or ranges, such as "):
        settings_of(EGRESS_ADDRESSES=text)


@pytest.mark.parametrize(
    ("text", "first_buckets"),
    [
        ("0-1023:ONE", {"ONE": 0}),
        ("0-511:ONE,512-1023:TWO", {"ONE": 0, "TWO": 512}),
        (" 0-0:ONE , 1-1022:TWO, 1023-1023:THREE ", {"ONE": 0, "TWO": 1, "THREE": 1_023}),
    ],
)
def test_profile_accounts_give_each_bucket_its_connection(text: str, first_buckets: dict[str, int]) -> None:
    accounts = settings_of(PROFILE_ACCOUNTS=text).profile_accounts
    assert len(accounts) == 1_024
    assert {name: accounts.index(name) for name in set(accounts)} == first_buckets
    assert list(accounts) == sorted(accounts, key=first_buckets.__getitem__)


@pytest.mark.parametrize(
    "text",
    [
        "RELAY_STORAGE",
        "0-1023",
        "0-1023:",
        ":ONE",
        "0:ONE",
        "0-1022:ONE",
        "0-1024:ONE",
        "1-1023:ONE",
        "0-511:ONE",
        "0-511:ONE,513-1023:TWO",
        "0-511:ONE,511-1023:TWO",
        "512-1023:TWO,0-511:ONE",
        "0-1023:ONE,1024-1024:TWO",
        "0-1023:ONE,1024-1023:TWO",
        "0-1023:ONE,",
        "0-511:ONE;512-1023:TWO",
        "0-511-1023:ONE",
        "a-b:ONE",
        "1023-0:ONE",
        "0-1023:ONE:TWO",
        " ",
    ],
)
def test_profile_accounts_that_leave_a_bucket_homeless_are_refused(text: str) -> None:
    with pytest.raises(SettingError) as error:
        settings_of(PROFILE_ACCOUNTS=text)
    message = str(error.value)
    assert message.startswith("app setting PROFILE_ACCOUNTS: expected every bucket from 0 to 1023 once and in order")
    assert settings_of(PROFILE_ACCOUNTS=message.rpartition("such as ")[2]).profile_accounts[512] == "RELAY_STORAGE_2"


@pytest.mark.parametrize("environment", [{}, {"RELAY_STORAGE": ""}, {"RELAY_STORAGE__tableServiceUri": ""}])
def test_a_missing_storage_connection_is_told_with_both_ways_to_set_it(environment: dict[str, str]) -> None:
    settings = Settings.from_environment(environment)
    with pytest.raises(SettingError, match=r"^app setting RELAY_STORAGE: .* or RELAY_STORAGE__tableServiceUri"):
        settings.tables()


def test_a_missing_event_hubs_connection_is_told_by_the_name_that_the_destination_gave() -> None:
    settings = settings_of(EVENTHUBS=HUB, OTHER__tableServiceUri="https://relay.table.core.windows.net")
    with pytest.raises(SettingError, match=r"^app setting OTHER: .* or OTHER__fullyQualifiedNamespace"):
        settings.event_hubs("OTHER")


def test_a_connection_string_is_handed_on_as_it_is() -> None:
    settings = settings_of(RELAY_STORAGE=STORAGE, RELAY_STORAGE_2=STORAGE + "2", EVENTHUBS=HUB)
    assert settings.tables().connection_string == STORAGE
    assert settings.tables("RELAY_STORAGE_2").connection_string == STORAGE + "2"
    assert settings.event_hubs("EVENTHUBS").connection_string == HUB
    assert settings.tables().endpoint is None


@pytest.mark.parametrize("client_id", [None, "4c0f8a5e-0000-4000-8000-000000000001"])
def test_an_endpoint_is_reached_as_the_apps_identity(client_id: str | None) -> None:
    environment = {
        "RELAY_STORAGE__tableServiceUri": "https://relay.table.core.windows.net",
        "EVENTHUBS__fullyQualifiedNamespace": "relay.servicebus.windows.net",
    }
    if client_id:
        environment |= {"RELAY_STORAGE__clientId": client_id, "EVENTHUBS__clientId": client_id}
    settings = Settings.from_environment(environment)
    tables, hub = settings.tables(), settings.event_hubs("EVENTHUBS")
    assert (tables.connection_string, tables.endpoint, tables.client_id) == (
        None,
        "https://relay.table.core.windows.net",
        client_id,
    )
    assert (hub.connection_string, hub.endpoint, hub.client_id) == (None, "relay.servicebus.windows.net", client_id)


def test_development_storage_is_spelt_out_for_the_sdk() -> None:
    spelt_out = settings_of(RELAY_STORAGE="UseDevelopmentStorage=true").tables().connection_string or ""
    assert "AccountName=devstoreaccount1;" in spelt_out
    assert "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1" in spelt_out


def test_no_representation_shows_a_secret() -> None:
    settings = settings_of(RELAY_STORAGE=STORAGE, EVENTHUBS=HUB)
    shown = [settings, settings.tables(), settings.event_hubs("EVENTHUBS")]
    for text in [repr(shown), str(shown), f"{shown[0]} {shown[1]} {shown[2]}"]:
        assert KEY not in text
        assert "SharedAccessKey" not in text


def test_no_refusal_shows_a_secret() -> None:
    """A connection string that was pasted into the wrong setting stays out of the error, and so out of the log."""
    for name in ["PROFILE_ACCOUNTS", "SEND_TIMEOUT", "CONFIG_CACHE_SECONDS"]:
        with pytest.raises(SettingError) as error:
            settings_of(**{name: STORAGE})
        assert KEY not in str(error.value)
        assert error.value.__cause__ is None


def test_a_range_beyond_all_buckets_is_refused_without_being_tried() -> None:
    with pytest.raises(SettingError, match="PROFILE_ACCOUNTS: expected every bucket"):
        Settings.from_environment({"PROFILE_ACCOUNTS": "0-99999999999999:A"})


LOCAL = "AccountName=a;AccountKey=YQ==;TableEndpoint=http://{0}:1/a;QueueEndpoint=http://{0}:2/a;"


@pytest.mark.parametrize(
    ("environment", "local"),
    [
        ({}, False),
        ({"RELAY_STORAGE": ""}, False),
        ({"RELAY_STORAGE": "UseDevelopmentStorage=true"}, True),
        ({"RELAY_STORAGE": "UseDevelopmentStorage=true;"}, True),
        ({"RELAY_STORAGE": "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://10.0.0.4"}, False),
        ({"RELAY_STORAGE": STORAGE}, False),
        ({"RELAY_STORAGE": LOCAL.format("127.0.0.1")}, True),
        ({"RELAY_STORAGE": LOCAL.format("localhost") + "BlobEndpoint=http://localhost:3/a"}, True),
        ({"RELAY_STORAGE": LOCAL.format("[::1]")}, True),
        ({"RELAY_STORAGE": LOCAL.format("azurite")}, False),
        ({"RELAY_STORAGE": LOCAL.format("127.0.0.1") + "BlobEndpoint=https://relay.blob.core.windows.net"}, False),
        ({"RELAY_STORAGE": f"{STORAGE};TableEndpoint=http://127.0.0.1:1/a"}, False),
        ({"RELAY_STORAGE": LOCAL.format("127.0.0.1@relay.table.core.windows.net")}, False),
        (
            {
                "RELAY_STORAGE__tableServiceUri": "http://127.0.0.1:1/a",
                "RELAY_STORAGE__queueServiceUri": "https://relay.queue.core.windows.net",
            },
            False,
        ),
    ],
)
def test_the_local_stack_is_known_by_storage_that_is_all_on_this_machine(
    environment: dict[str, str], local: bool
) -> None:
    assert Settings.from_environment(environment).is_local is local


def test_what_belongs_to_the_local_stack_is_of_no_use_elsewhere() -> None:
    extras = {"LOCAL_SECRETS_FILE": "secrets.json", "LOCAL_BROKER_CONTROL_PORT": "5673"}
    local = settings_of(RELAY_STORAGE=LOCAL.format("127.0.0.1"), **extras)
    assert (local.local_secrets_file, local.local_broker_control_port) == ("secrets.json", 5673)
    real = settings_of(RELAY_STORAGE=STORAGE, **extras)
    assert real.local_broker_control_port is None
    with pytest.raises(SettingError, match=r"^app setting LOCAL_SECRETS_FILE: .* set KEY_VAULT_URI"):
        real.local_secrets_file  # noqa: B018


def test_a_key_vault_is_reached_as_the_apps_identity() -> None:
    assert settings_of().key_vault() is None
    vault = settings_of(KEY_VAULT_URI="https://contoso.vault.azure.net/", KEY_VAULT_URI__clientId="an-id").key_vault()
    assert vault is not None
    assert (vault.endpoint, vault.client_id) == ("https://contoso.vault.azure.net/", "an-id")


@pytest.mark.parametrize("uri", ["contoso", "http://contoso.vault.azure.net", "https://", "https://a/secrets/b", HUB])
def test_what_is_no_uri_of_a_vault_is_refused(uri: str) -> None:
    with pytest.raises(SettingError, match="KEY_VAULT_URI: expected a vault's URI, such as https://") as refused:
        settings_of(KEY_VAULT_URI=uri).key_vault()
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "\u0661", "9999999"])
def test_a_number_of_connections_is_a_whole_one_above_0(text: str) -> None:
    with pytest.raises(SettingError, match="CONNECTIONS_PER_HUB: expected a whole number above 0, such as 4"):
        settings_of(CONNECTIONS_PER_HUB=text)


def test_the_number_of_connections_and_how_long_partitions_are_known() -> None:
    settings = settings_of(CONNECTIONS_PER_HUB="12", CONFIG_CACHE_SECONDS="2")
    assert (settings.connections_per_hub, settings.partitions_known_for) == (12, 20.0)
