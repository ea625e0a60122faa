"""What the API takes to connect a destination, and what it says of a connection."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

from shared.domain.configuration.credentials import (
    Credentials,
    IdentityCredentials,
    parse_connection_string,
    sas_credentials,
)
from shared.domain.configuration.model import Identifier, SettingName, Text
from shared.errors import ConfigurationError, SettingError
from shared.ports.connections import ConnectionProblem, ProblemKind
from shared.services.destinations.connect import ConnectDestinations, ConnectionReport
from shared.web.api.models.views import DestinationResource, View

_NAMESPACE = "Its name, such as contoso, or its host, such as contoso.servicebus.windows.net"


class _Given(BaseModel):
    """What is taken, never given."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=True, strict=True)


class SasKey(_Given):
    """A shared access key, of a policy of the namespace or of the hub."""

    type: Literal["sas"]
    namespace: str = Field(description=_NAMESPACE)
    key_name: Text
    key: SecretStr


class ConnectionString(_Given):
    """A connection string as the portal shows it, of the namespace or of the hub."""

    type: Literal["connection-string"]
    connection_string: SecretStr


class ManagedIdentity(_Given):
    """The app's own identity; `clientId` names a user-assigned one."""

    type: Literal["managed-identity"]
    namespace: str = Field(description=_NAMESPACE)
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
    connection: GivenConnection


class NewKey(_Given):
    """Of the same policy, or of that with `keyName`."""

    key: SecretStr
    key_name: Text | None = None


class ConnectionProblemView(View):
    kind: ProblemKind
    message: str = Field(description="What is wrong, and what to do")


class ConnectionReportView(View):
    """`hubs` is null where they cannot be listed, for the reason `hubsProblem`."""

    reachable: bool
    partitions: list[str]
    hubs: list[str] | None
    hubs_problem: ConnectionProblemView | None
    problem: ConnectionProblemView | None

    @classmethod
    def of(cls, report: ConnectionReport) -> "ConnectionReportView":
        return cls(
            reachable=report.reachable,
            partitions=list(report.partitions),
            hubs=None if report.hubs is None else list(report.hubs),
            hubs_problem=_view(report.hubs_problem),
            problem=_view(report.problem),
        )


class EgressAddressesView(View):
    """Where the app connects to hubs from, as IP addresses and ranges; empty where its addresses are not static."""

    addresses: list[str]


class RotatedView(View):
    """The old key may be revoked at `oldKeyNeededUntil`: by then every worker has gone over to the new one."""

    destination: DestinationResource
    old_key_needed_until: str


def credentials_of(
    given: GivenConnection, service: ConnectDestinations, event_hub_name: str | None
) -> tuple[Credentials, str | None]:
    """The credentials, and the hub's name as given or as the connection string says it.

    Raises ConfigurationError.
    """
    named: str | None = None
    try:
        match given:
            case SasKey():
                credentials: Credentials = sas_credentials(
                    given.namespace, given.key_name, given.key.get_secret_value(), local_allowed=service.local
                )
            case ConnectionString():
                text = given.connection_string.get_secret_value()
                pasted = parse_connection_string(text, local_allowed=service.local)
                credentials, named = pasted.credentials, pasted.event_hub_name
            case ManagedIdentity():
                credentials = IdentityCredentials(given.namespace, given.client_id)
            case AppSetting():
                credentials, named = service.credentials_of(given.setting)
    except (ValueError, SettingError) as error:
        raise ConfigurationError(f"/connection: {error}") from None
    if event_hub_name and named and event_hub_name != named:
        raise ConfigurationError("/eventHubName: expected the hub that the connection string names, or none")
    return credentials, event_hub_name or named


def _view(problem: ConnectionProblem | None) -> ConnectionProblemView | None:
    return None if problem is None else ConnectionProblemView(kind=problem.kind, message=problem.message)
