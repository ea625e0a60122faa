"""The app settings, read from the environment once and checked: each error names the setting and what would do."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from ipaddress import ip_network
from urllib.parse import urlsplit

from shared.errors import SettingError
from shared.hosting import RELAY_STORAGE, app_service_authentication, on_local_stack
from shared.storage_account import reaches, storage_connection_string

PROFILE_BUCKETS = 1_024
PREVIOUS_RELEASE, THIS_RELEASE = "0.1", "0.2"
"""Instances of both may run at a time."""
UNRESOLVED = (
    "the platform could not resolve its Key Vault reference: look whether the secret is there, and whether the app's "
    "identity may read it, in the portal's list of the app's environment variables"
)
_PORTS = {"https": 443, "http": 80}
_LONGEST_DELAY = 6 * 24 * 3600  # a queue message lives for seven days


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a service: with `connection_string`, or at `endpoint` as the app's identity `client_id`."""

    name: str
    connection_string: str | None = field(default=None, repr=False)
    endpoint: str | None = None
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class ApplicationInsights:
    """Where telemetry goes: with the key in `connection_string`, or `by_identity` (the app's own, or `client_id`).

    `role` is the app's name among others that send there.
    """

    connection_string: str = field(repr=False)
    by_identity: bool = False
    client_id: str | None = None
    role: str = "profile-relay"


@dataclass(frozen=True, slots=True)
class Settings:
    """Durations are seconds. `profile_accounts` gives, for each profile bucket, the storage connection it lives in."""

    environment: Mapping[str, str] = field(repr=False)
    config_cache_seconds: float
    send_timeout: float
    connections_per_hub: int
    retry_delays: tuple[float, ...]
    redrive_per_second: float
    backfill_per_second: float
    upload_url_seconds: float
    message_lease: float
    profile_accounts: tuple[str, ...]
    changes_queue: str
    egress_addresses: tuple[str, ...]
    public_origins: tuple[str, ...]
    app_service_authentication: bool
    oldest_release: str | None
    application_insights: ApplicationInsights | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        return cls(
            environment=environment,
            config_cache_seconds=_seconds(environment, "CONFIG_CACHE_SECONDS", 30.0),
            send_timeout=_seconds(environment, "SEND_TIMEOUT", 5.0),
            connections_per_hub=_count(environment, "CONNECTIONS_PER_HUB", 4),
            retry_delays=_retry_delays(environment.get("RETRY_DELAYS", "15,30")),
            redrive_per_second=_positive(environment, "REDRIVE_PER_SECOND", 2_000.0),
            backfill_per_second=_positive(environment, "BACKFILL_PER_SECOND", 500.0),
            upload_url_seconds=_seconds(environment, "UPLOAD_URL_SECONDS", 3_600.0),
            message_lease=_seconds(environment, "MESSAGE_LEASE_SECONDS", 60.0),
            profile_accounts=_profile_accounts(environment.get("PROFILE_ACCOUNTS", "")),
            changes_queue=changes_queue(environment),
            egress_addresses=_addresses(environment.get("EGRESS_ADDRESSES", "")),
            public_origins=public_origins(environment),
            app_service_authentication=app_service_authentication(environment),
            oldest_release=_release(environment.get("OLDEST_RELEASE", "")),
            application_insights=_application_insights(environment),
        )

    @property
    def time_zone(self) -> tzinfo:
        """What the host reads schedules in."""
        try:
            from zoneinfo import ZoneInfo  # here, for indexing the functions needs none

            return ZoneInfo(self.environment.get("TZ") or self.environment.get("WEBSITE_TIME_ZONE") or "UTC")
        except (KeyError, ValueError, OSError):
            return UTC

    @property
    def partitions_known_for(self) -> float:
        """How long a worker may take the number of a hub's partitions for granted. Asking takes a connection of its
        own, so it is done less often than the configuration is read.
        """
        return 10 * self.config_cache_seconds

    @property
    def backfill_delay(self) -> float:
        """How long after a change of the configuration a backfill is due: by then every worker knows the change, and
        has sent what it decided by the configuration before.
        """
        return 2 * self.config_cache_seconds + self.send_timeout

    def tables(self, name: str = RELAY_STORAGE) -> Connection:
        """The Table Storage behind the setting `name`, or behind `<name>__tableServiceUri`."""
        return _storage(self.environment, name, "tableServiceUri")

    def storage_connection_strings(self) -> list[str]:
        """What app settings hold of the accounts that are used, the host's own among them."""
        names = dict.fromkeys((RELAY_STORAGE, *self.profile_accounts, "AzureWebJobsStorage"))
        return [text for name in names if (text := self.environment.get(name))]

    def queues(self) -> Connection:
        """The queues beside the tables: in the same account, or behind `RELAY_STORAGE__queueServiceUri`."""
        return queue_connection(self.environment)

    def blobs(self) -> Connection:
        """The blobs beside the tables: in the same account, or behind `RELAY_STORAGE__blobServiceUri`."""
        return _storage(self.environment, RELAY_STORAGE, "blobServiceUri")

    def event_hubs(self, name: str) -> Connection:
        """The Event Hubs namespace behind the setting `name`, or behind `<name>__fullyQualifiedNamespace`."""
        expected = f"an Event Hubs connection string, or {name}__fullyQualifiedNamespace"
        return _connection(self.environment, name, "fullyQualifiedNamespace", expected)

    def key_vault(self) -> Connection | None:
        """The Key Vault at `KEY_VAULT_URI`, if there is one."""
        uri = self.environment.get("KEY_VAULT_URI")
        if not uri:
            return None
        if not _is_vault(uri):
            raise SettingError.of("KEY_VAULT_URI", "expected a vault's URI, such as https://contoso.vault.azure.net")
        return Connection("KEY_VAULT_URI", endpoint=uri, client_id=self.environment.get("KEY_VAULT_URI__clientId"))

    @property
    def local_secrets_file(self) -> str | None:
        """Where the local stack keeps keys; refused where the storage account is a real one."""
        path = self.environment.get("LOCAL_SECRETS_FILE")
        if path and not self.is_local:
            raise SettingError.of(
                "LOCAL_SECRETS_FILE",
                "expected only with the local stack's storage: remove it and set KEY_VAULT_URI, because a file is no "
                "place for the keys of a real account",
            )
        return path or None

    @property
    def local_broker_control_port(self) -> int | None:
        """Where the local stack's Event Hubs list their hubs; None where the app is not on the local stack."""
        port = self.environment.get("LOCAL_BROKER_CONTROL_PORT", "")
        return int(port) if self.is_local and port.isdecimal() else None

    @property
    def is_local(self) -> bool:
        """Whether the app runs on the local stack: all of its storage is on this machine."""
        return on_local_stack(self.environment)


def _is_vault(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and bool(parts.hostname)
        and not (parts.username or parts.path.strip("/") or parts.query)
    )


def changes_queue(environment: Mapping[str, str]) -> str:
    """The name of the queue of profile changes."""
    return environment.get("PROFILE_CHANGES_QUEUE") or "profile-changes"


def queue_connection(environment: Mapping[str, str]) -> Connection:
    """As `Settings.queues`, also where other settings are wrong. Raises SettingError."""
    return _storage(environment, RELAY_STORAGE, "queueServiceUri")


def _storage(environment: Mapping[str, str], name: str, endpoint_suffix: str) -> Connection:
    expected = f"a storage connection string, or {name}__{endpoint_suffix}"
    found = _connection(environment, name, endpoint_suffix, expected)
    if found.connection_string is None:
        return found
    checked = checked_storage(name, found.connection_string)
    service = endpoint_suffix.removesuffix("ServiceUri").capitalize()
    if not reaches(checked, service):
        raise SettingError.of(name, f"expected a {service}Endpoint in it, as it has no AccountName")
    return replace(found, connection_string=checked)


def _connection(environment: Mapping[str, str], name: str, endpoint_suffix: str, expected: str) -> Connection:
    connection_string = environment.get(name)
    endpoint = environment.get(f"{name}__{endpoint_suffix}")
    for setting, value in ((name, connection_string), (f"{name}__{endpoint_suffix}", endpoint)):
        if value and is_unresolved(value):
            raise SettingError.of(setting, UNRESOLVED)
    if not connection_string and not endpoint:
        raise SettingError.of(name, f"expected {expected} for an identity's access")
    return Connection(
        name,
        connection_string=connection_string or None,
        endpoint=endpoint,
        client_id=environment.get(f"{name}__clientId"),
    )


def is_unresolved(value: str) -> bool:
    """Whether a reference to a vault stands in the secret's place."""
    return value.strip().lower().startswith("@microsoft.keyvault(")


def checked_storage(name: str, connection_string: str) -> str:
    """What the setting `name` holds, in the form that the SDKs take. Raises SettingError."""
    try:
        return storage_connection_string(connection_string)
    except ValueError as error:
        raise SettingError.of(name, str(error)) from None


def _application_insights(environment: Mapping[str, str]) -> ApplicationInsights | None:
    connection_string = environment.get("APPLICATIONINSIGHTS_CONNECTION_STRING", "").strip()
    if not connection_string:
        return None
    said = environment.get("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "")
    parts = {
        name.strip().lower(): value.strip() for name, _, value in (part.partition("=") for part in said.split(";"))
    }
    return ApplicationInsights(
        connection_string,
        by_identity=parts.get("authorization", "").lower() == "aad",
        client_id=parts.get("clientid") or None,
        role=environment.get("WEBSITE_SITE_NAME") or "profile-relay",
    )


def _retry_delays(text: str) -> tuple[float, ...]:
    try:
        delays = tuple(float(delay) for delay in text.split(","))
    except ValueError:
        delays = ()
    if not delays or not all(0 <= delay <= _LONGEST_DELAY for delay in delays):
        raise SettingError.of("RETRY_DELAYS", "expected seconds, one for each retry, such as 15,30")
    return delays


def _addresses(text: str) -> tuple[str, ...]:
    addresses = tuple(part.strip() for part in text.split(",")) if text else ()
    try:
        for address in addresses:
            ip_network(address)
    except ValueError:
        raise SettingError.of(
            "EGRESS_ADDRESSES", "expected IP addresses or ranges, such as 20.50.1.0/28,20.50.2.7"
        ) from None
    return addresses


def public_origins(environment: Mapping[str, str]) -> tuple[str, ...]:
    """As browsers write them: in lower case, and without the scheme's own port. Raises SettingError."""
    text = environment.get("PUBLIC_ORIGINS", "")
    try:
        return tuple(_origin(part.strip().lower().removesuffix("/")) for part in text.split(",")) if text else ()
    except ValueError:
        raise SettingError.of(
            "PUBLIC_ORIGINS",
            "expected the addresses by which browsers know the app, without a path and "
            "with a comma in between, such as https://relay.contoso.com,https://relay.contoso.org",
        ) from None


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in _PORTS or not parts.hostname or text != f"{parts.scheme}://{parts.netloc}" or "@" in text:
        raise ValueError
    return text.removesuffix(f":{parts.port}") if parts.port == _PORTS[parts.scheme] else text


def _release(text: str) -> str | None:
    if text not in ("", PREVIOUS_RELEASE, THIS_RELEASE):
        raise SettingError.of("OLDEST_RELEASE", f"expected {PREVIOUS_RELEASE} or {THIS_RELEASE}, or no such setting")
    return text or None


def _positive(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise SettingError.of(name, f"expected a number above 0, such as {default:g}")
    return value


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    """No longer than clocks and queues can tell: what is beyond would fail where it is used."""
    value = _positive(environment, name, default)
    if value > _LONGEST_DELAY:
        raise SettingError.of(name, f"expected seconds, {_LONGEST_DELAY:,} at most, such as {default:g}")
    return value


def _count(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "")
    if text and not (text.isascii() and text.isdecimal() and int(text[:6]) > 0 and len(text) <= 6):
        raise SettingError.of(name, f"expected a whole number above 0, such as {default}")
    return int(text) if text else default


def _profile_accounts(text: str) -> tuple[str, ...]:
    """From `0-511:RELAY_STORAGE,512-1023:RELAY_STORAGE_2` to the connection of each bucket; empty means one account."""
    if not text:
        return (RELAY_STORAGE,) * PROFILE_BUCKETS
    accounts: list[str] = []
    try:
        for part in text.split(","):
            buckets, name = part.strip().split(":")
            first, last = (int(bucket) for bucket in buckets.split("-"))
            if first != len(accounts) or not first <= last < PROFILE_BUCKETS or not name:
                raise ValueError
            accounts += [name] * (last - first + 1)
        if len(accounts) != PROFILE_BUCKETS:
            raise ValueError
    except ValueError:
        raise SettingError.of(
            "PROFILE_ACCOUNTS",
            f"expected every bucket from 0 to {PROFILE_BUCKETS - 1} once and in order, "
            f"such as 0-511:RELAY_STORAGE,512-{PROFILE_BUCKETS - 1}:RELAY_STORAGE_2",
        ) from None
    return tuple(accounts)
