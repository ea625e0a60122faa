"""What the app shows a namespace to be let in, and how a connection string or an app setting says it."""

import hashlib
from dataclasses import dataclass, field
from typing import TypeAlias

from shared.domain.namespaces import parse_namespace
from shared.settings import Connection

_SHOWN = 4
_LEAST_LENGTH_TO_SHOW = 3 * _SHOWN
_REQUIRED = {"endpoint", "sharedaccesskeyname", "sharedaccesskey"}
_EMULATOR_PORT = 5672
_EXPECTED = "Endpoint=sb://….servicebus.windows.net/;SharedAccessKeyName=…;SharedAccessKey=…"


@dataclass(frozen=True, slots=True)
class SasCredentials:
    """A shared access key of a namespace or of one hub. The key shows up nowhere but in `key`."""

    namespace: str
    key_name: str
    key: str = field(repr=False)

    @property
    def key_hint(self) -> str:
        """The last four characters, for people; nothing of a key so short that they would be much of it."""
        return self.key[-_SHOWN:] if len(self.key) >= _LEAST_LENGTH_TO_SHOW else ""

    @property
    def key_fingerprint(self) -> str:
        """Tells keys apart: twelve hexadecimal digits."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class IdentityCredentials:
    """The app's own identity: the user-assigned one with `client_id`, or its only one."""

    namespace: str
    client_id: str | None = None


Credentials: TypeAlias = SasCredentials | IdentityCredentials


@dataclass(frozen=True, slots=True)
class PastedConnection:
    """What a connection string says; `event_hub_name` is its EntityPath, None where it is a namespace's."""

    credentials: SasCredentials
    event_hub_name: str | None


@dataclass(frozen=True, slots=True)
class SettingConnection:
    """What an app setting says; `event_hub_name` as in PastedConnection."""

    credentials: Credentials
    event_hub_name: str | None = None


def sas_credentials(namespace: str, key_name: str, key: str, *, local_allowed: bool = False) -> SasCredentials:
    """Checked credentials. Raises ValueError, which never repeats the key."""
    if not key_name or not key_name.isprintable() or key_name != key_name.strip():
        raise ValueError("expected the name of a shared access policy, such as RootManageSharedAccessKey")
    require_key(key)
    return SasCredentials(parse_namespace(namespace, local_allowed=local_allowed), key_name, key)


def require_key(key: str) -> None:
    """Raises ValueError, which never repeats the key, for what is none."""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("expected the key of the shared access policy, without spaces")


def parse_connection_string(text: str, *, local_allowed: bool = False) -> PastedConnection:
    """From `Endpoint=sb://…/;SharedAccessKeyName=…;SharedAccessKey=…`, in any order, with or without `;EntityPath=…`.

    Other parts are left alone, as the SDKs leave them. Raises ValueError, which never repeats the key.
    """
    fields: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if not equals or name in fields:
            raise ValueError(f"expected a connection string: {_EXPECTED}, each once")
        fields[name] = value.strip()
    if "sharedaccesssignature" in fields:
        raise ValueError("expected a connection string with SharedAccessKey: a SharedAccessSignature expires")
    if not fields.keys() >= _REQUIRED:
        raise ValueError(f"expected a connection string of an Event Hubs namespace or hub: {_EXPECTED}")
    scheme, _, host = fields["endpoint"].partition("://")
    if scheme.lower() != "sb":
        raise ValueError("Endpoint: expected sb:// and the host of an Event Hubs namespace")
    host = host.removesuffix("/")
    if local_allowed and host.lower() in ("localhost", "127.0.0.1"):
        host = f"{host}:{_EMULATOR_PORT}"
    credentials = sas_credentials(
        host, fields["sharedaccesskeyname"], fields["sharedaccesskey"], local_allowed=local_allowed
    )
    return PastedConnection(credentials, fields.get("entitypath") or None)


def parse_setting(connection: Connection, *, local_allowed: bool = False) -> SettingConnection:
    """What an app setting holds for Event Hubs. Raises ValueError, which names the setting and never repeats a key."""
    try:
        if connection.connection_string is not None:
            pasted = parse_connection_string(connection.connection_string, local_allowed=local_allowed)
            return SettingConnection(pasted.credentials, pasted.event_hub_name)
        namespace = parse_namespace(connection.endpoint or "", local_allowed=local_allowed)
    except ValueError as error:
        raise ValueError(f"app setting {connection.name}: {error}") from None
    return SettingConnection(IdentityCredentials(namespace, connection.client_id))
