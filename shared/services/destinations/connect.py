"""Connect a destination to its hub: see whether it can be reached, then keep its key; and the same for another key.

The configuration is not touched: `manage` puts what comes of it into the destination and saves that.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from shared.concurrency import both
from shared.domain.configuration.credentials import Credentials, IdentityCredentials, sas_credentials
from shared.domain.configuration.given_connection import (
    AppSetting,
    ConnectionString,
    GivenConnection,
    NewKey,
    credentials_of,
)
from shared.domain.configuration.model import (
    Authentication,
    Destination,
    IdentityAuthentication,
    SasAuthentication,
    SecretReference,
)
from shared.errors import ConfigurationError, ConnectionFailedError, SettingError
from shared.ports.connections import ConnectionProblem, HubVerifier, SecretStore, Verified
from shared.settings import Connection


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What was found. `hubs` are those of the namespace, or None for the reason `hubs_problem`.

    `problem` is what keeps exports from being sent, or without a hub's name the namespace from being looked at.
    """

    partitions: tuple[str, ...]
    hubs: tuple[str, ...] | None
    hubs_problem: ConnectionProblem | None
    problem: ConnectionProblem | None

    @property
    def reachable(self) -> bool:
        return self.problem is None


@dataclass(frozen=True, slots=True)
class Connected:
    """`members`: what the destination says of its connection from now on. A key that was given is kept by now.

    `report` may tell of a problem where it was forced.
    """

    members: dict[str, Any]
    report: ConnectionReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectDestinations:
    """`setting` gives the connection behind an app setting's name; `local` is the app on the local stack;
    `old_key_needed` is for how many seconds after a change of the configuration a worker may still use the key before.
    `egress_addresses` are those that hubs are reached from, where they are known.
    """

    secrets: SecretStore
    verifier: HubVerifier
    setting: Callable[[str], Connection]
    local: bool
    old_key_needed: float
    egress_addresses: tuple[str, ...] = ()

    @property
    def keeps_keys(self) -> bool:
        """Whether there is a place for keys; without one, destinations are connected by app settings or identities."""
        return self.secrets.writable

    async def check(self, given: GivenConnection, event_hub_name: str | None) -> ConnectionReport:
        """Look whether the hub can be reached and sent to; without its name, which hubs the namespace has. Stores
        nothing, sends nothing.

        Raises ConfigurationError for what is no connection, or one to a namespace that the app must not connect to.
        """
        return await self._look(*self._credentials_of(given, event_hub_name))

    async def connect(
        self, destination_id: str, given: GivenConnection, event_hub_name: str | None, *, force: bool = False
    ) -> Connected:
        """Check the connection, then keep its key. Without a hub's name it has to be one that names the hub.

        Unless `force`, raises ConnectionFailedError for one that does not work, and nothing is kept. Raises
        ConfigurationError, SecretError, too.
        """
        credentials, hub = self._credentials_of(given, event_hub_name)
        if hub is None:
            hubs = (await self._look(credentials, None)).hubs
            there_are = f"; there are {', '.join(hubs)}" if hubs else ""
            raise ConfigurationError(f"/eventHubName: expected the name of an Event Hub{there_are}")
        report = await self._require(credentials, hub, force=force)
        if isinstance(given, AppSetting):
            members: dict[str, Any] = {"connection": given.setting, "authentication": None}
        else:
            members = {"authentication": await self._authenticate(destination_id, credentials)}
        return Connected(members | {"event_hub_name": hub}, report)

    async def rotate(self, destination: Destination, given: NewKey, *, force: bool = False) -> Connected:
        """The same for another key of a destination that has one.

        The old key stays readable as an earlier version, for workers that still use the configuration before.
        """
        authentication = destination.authentication
        if not isinstance(authentication, SasAuthentication):
            how = f"by the app setting {destination.connection}" if authentication is None else "by a managed identity"
            raise ConfigurationError(
                f"destination {destination.id}: expected one with a key of its own, but it is connected {how}"
            )
        try:
            credentials = sas_credentials(
                authentication.namespace,
                given.key_name or authentication.key_name,
                given.key.get_secret_value(),
                local_allowed=self.local,
            )
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        report = await self._require(credentials, destination.event_hub_name, force=force)
        return Connected({"authentication": await self._authenticate(destination.id, credentials)}, report)

    async def forget(self, removed: Destination, left: Iterable[Destination]) -> bool:
        """Delete the key that was kept for a destination which is removed, in all versions, and say whether that was
        called for. Raises SecretError.
        """
        if not has_own_key(removed, left):
            return False
        await self.secrets.delete(hub_key_name(removed.id))
        return True

    def _credentials_of(self, given: GivenConnection, event_hub_name: str | None) -> tuple[Credentials, str | None]:
        """And the hub's name as given, or else as a connection string says it. Raises ConfigurationError."""
        try:
            credentials, named = credentials_of(given, self.setting, local_allowed=self.local)
        except (ValueError, SettingError) as error:
            raise ConfigurationError(f"/connection/{_member_to_blame(given)}: {error}") from None
        return credentials, event_hub_name or named

    async def _look(self, credentials: Credentials, event_hub_name: str | None) -> ConnectionReport:
        verifying = self._verify(credentials, event_hub_name)
        verified, hubs = await both(verifying, self.verifier.list_hubs(credentials))
        hubs_problem = hubs if isinstance(hubs, ConnectionProblem) else None
        problem = verified if isinstance(verified, ConnectionProblem) else None
        return ConnectionReport(
            partitions=verified.partitions if isinstance(verified, Verified) else (),
            hubs=None if isinstance(hubs, ConnectionProblem) else hubs,
            hubs_problem=hubs_problem,
            problem=problem if event_hub_name else hubs_problem,
        )

    async def _verify(
        self, credentials: Credentials, event_hub_name: str | None
    ) -> Verified | ConnectionProblem | None:
        return await self.verifier.verify(credentials, event_hub_name) if event_hub_name else None

    async def _require(self, credentials: Credentials, event_hub_name: str, *, force: bool) -> ConnectionReport:
        report = await self._look(credentials, event_hub_name)
        if report.problem is not None and not force:
            raise ConnectionFailedError(report.problem.kind, report.problem.message, report.hubs)
        return report

    async def _authenticate(self, destination_id: str, credentials: Credentials) -> Authentication:
        """Keep the key, if there is one; how the destination finds it."""
        if isinstance(credentials, IdentityCredentials):
            return IdentityAuthentication(
                type="managed-identity", namespace=credentials.namespace, client_id=credentials.client_id
            )
        name = hub_key_name(destination_id)
        version = await self.secrets.store(name, credentials.key)
        return SasAuthentication(
            type="sas",
            namespace=credentials.namespace,
            key_name=credentials.key_name,
            secret=SecretReference(name=name, version=version),
            key_hint=credentials.key_hint,
            key_fingerprint=credentials.key_fingerprint,
        )


def _member_to_blame(given: GivenConnection) -> str:
    """What of a connection can still be wrong that was understood: where it leads to."""
    if isinstance(given, AppSetting):
        return "setting"
    return "connectionString" if isinstance(given, ConnectionString) else "namespace"


def _secret_of(destination: Destination) -> str | None:
    authentication = destination.authentication
    return authentication.secret.name if isinstance(authentication, SasAuthentication) else None


def has_own_key(destination: Destination, others: Iterable[Destination]) -> bool:
    """Whether a key was kept for the destination that none of the `others` uses."""
    name = hub_key_name(destination.id)
    return _secret_of(destination) == name and name not in map(_secret_of, others)


def hub_key_name(destination_id: str) -> str:
    return f"profile-relay-{destination_id}"
