"""What is given to connect a destination: taken and never given back, for there are keys in it."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

from shared.domain.configuration.credentials import (
    Credentials,
    IdentityCredentials,
    parse_connection_string,
    parse_setting,
    require_key,
    sas_credentials,
)
from shared.domain.configuration.model import (
    RETENTION_HOURS,
    CheckpointContainerUrl,
    Identifier,
    IdentityNamespaces,
    Namespace,
    RetentionHours,
    SettingName,
    Text,
)
from shared.domain.configuration.static_properties import StaticProperties
from shared.domain.namespaces import parse_namespace
from shared.settings import Connection


def _key(given: SecretStr) -> SecretStr:
    require_key(given.get_secret_value())
    return given


def _connection_string(given: SecretStr) -> SecretStr:
    """Whether it may name a local namespace shows where it is used."""
    parse_connection_string(given.get_secret_value(), local_allowed=True)
    return given


SharedAccessKey = Annotated[SecretStr, AfterValidator(_key)]
ConnectionText = Annotated[SecretStr, AfterValidator(_connection_string)]
_NAMESPACE = "Its name, such as contoso, or its host, such as contoso.servicebus.windows.net"


class _Given(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", populate_by_name=True, strict=True, hide_input_in_errors=True
    )


class SasKey(_Given):
    """A shared access key, of a policy of the namespace or of the hub."""

    type: Literal["sas"]
    namespace: Namespace = Field(description=_NAMESPACE)
    key_name: Text
    key: SharedAccessKey


class ConnectionString(_Given):
    """A connection string as the portal shows it, of the namespace or of the hub."""

    type: Literal["connection-string"]
    connection_string: ConnectionText


class ManagedIdentity(_Given):
    """The app's own identity; `clientId` names a user-assigned one."""

    type: Literal["managed-identity"]
    namespace: Namespace = Field(description=_NAMESPACE)
    client_id: Annotated[str, Field(pattern=r"^[0-9A-Fa-f-]{1,64}$")] | None = None


class AppSetting(_Given):
    """An app setting that holds a connection string, or names a namespace for an identity."""

    type: Literal["app-setting"]
    setting: SettingName


GivenConnection = Annotated[SasKey | ConnectionString | ManagedIdentity | AppSetting, Field(discriminator="type")]


class ConnectionCheck(_Given):
    """Without `eventHubName` only the namespace is looked at, and its hubs are listed."""

    connection: GivenConnection
    event_hub_name: Text | None = None


class NewDestination(_Given):
    """`eventHubName` may be left out where the connection string names the hub."""

    id: Identifier
    name: Text
    description: str = ""
    event_hub_name: Text | None = None
    include_segment_names: bool = False
    include_segment_timestamps: bool = False
    only_mapped_audiences: bool = False
    identity_namespaces: IdentityNamespaces | None = None
    include_export_metadata: bool = False
    static_properties: StaticProperties = Field(default_factory=dict)
    keyed: bool = False
    settle: bool = False
    resync_by_message: bool = False
    consumer_checkpoints: CheckpointContainerUrl | None = None
    retention_hours: RetentionHours = RETENTION_HOURS
    connection: GivenConnection


class NewKey(_Given):
    """Of the same policy, or of that with `keyName`."""

    key: SharedAccessKey
    key_name: Text | None = None


def credentials_of(
    given: GivenConnection, setting: Callable[[str], Connection], *, local_allowed: bool
) -> tuple[Credentials, str | None]:
    """What the app shows the namespace, and the hub that a connection string names, if it does.

    `setting` gives what an app setting holds. Raises ValueError for a namespace that the app must not connect to and
    for what is no connection, neither of which repeats a key; and whatever `setting` raises.
    """
    if isinstance(given, SasKey):
        key = given.key.get_secret_value()
        return sas_credentials(given.namespace, given.key_name, key, local_allowed=local_allowed), None
    if isinstance(given, ManagedIdentity):
        return IdentityCredentials(parse_namespace(given.namespace, local_allowed=local_allowed), given.client_id), None
    if isinstance(given, AppSetting):
        held = parse_setting(setting(given.setting), local_allowed=local_allowed)
        return held.credentials, held.event_hub_name
    pasted = parse_connection_string(given.connection_string.get_secret_value(), local_allowed=local_allowed)
    return pasted.credentials, pasted.event_hub_name
