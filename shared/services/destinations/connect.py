"""Connect a destination to its hub: see whether it can be reached, then keep its key; and the same for another key.

The configuration is not touched: whoever calls puts the authentication into the destination and applies that.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from shared.domain.configuration.credentials import (
    Credentials,
    IdentityCredentials,
    parse_connection_string,
    sas_credentials,
)
from shared.domain.configuration.model import (
    Authentication,
    Destination,
    IdentityAuthentication,
    SasAuthentication,
    SecretReference,
)
from shared.domain.namespaces import parse_namespace
from shared.errors import ConfigurationError, ConnectionFailedError
from shared.ports.connections import ConnectionProblem, HubVerifier, SecretStore, Verified
from shared.settings import Connection


@dataclass(frozen=True, slots=True)
class ConnectionRequest:
    """Which hub to reach, and how; without a hub's name only its namespace is looked at."""

    credentials: Credentials
    event_hub_name: str | None = None


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
    """`authentication` is for the destination; its key is kept. `report` may tell of a problem where it was forced."""

    authentication: Authentication
    report: ConnectionReport


@dataclass(frozen=True, slots=True)
class Rotated(Connected):
    """`old_key_needed` is for how many seconds after the configuration was saved the old key must still be valid."""

    old_key_needed: float


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

    def credentials_of(self, setting: str) -> tuple[Credentials, str | None]:
        """What an app setting holds, and the hub that it names, if it names one.

        Raises SettingError where there is none, ValueError for one that is no connection to Event Hubs.
        """
        connection = self.setting(setting)
        if connection.connection_string:
            pasted = parse_connection_string(connection.connection_string, local_allowed=self.local)
            return pasted.credentials, pasted.event_hub_name
        return IdentityCredentials(connection.endpoint or "", connection.client_id), None

    async def check(self, request: ConnectionRequest) -> ConnectionReport:
        """Look whether the hub can be reached and sent to. Stores nothing, sends nothing.

        Raises ConfigurationError for a namespace that the app must not connect to.
        """
        credentials = self._checked(request.credentials)
        verifying = self._verify(credentials, request.event_hub_name)
        verified, hubs = await asyncio.gather(verifying, self.verifier.list_hubs(credentials))
        hubs_problem = hubs if isinstance(hubs, ConnectionProblem) else None
        problem = verified if isinstance(verified, ConnectionProblem) else None
        return ConnectionReport(
            partitions=verified.partitions if isinstance(verified, Verified) else (),
            hubs=None if isinstance(hubs, ConnectionProblem) else hubs,
            hubs_problem=hubs_problem,
            problem=problem if request.event_hub_name else hubs_problem,
        )

    async def require(self, request: ConnectionRequest, *, force: bool = False) -> ConnectionReport:
        """The same; unless `force`, raises ConnectionFailedError where there is a problem."""
        report = await self.check(request)
        if report.problem is not None and not force:
            raise ConnectionFailedError(report.problem.kind, report.problem.message, report.hubs)
        return report

    async def authenticate(self, destination_id: str, credentials: Credentials) -> Authentication:
        """Keep the key, if there is one; how the destination finds it. Raises SecretError, ConfigurationError."""
        credentials = self._checked(credentials)
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

    async def connect(
        self, destination_id: str, credentials: Credentials, event_hub_name: str, *, force: bool = False
    ) -> Connected:
        """Check the connection, then keep its key.

        Unless `force`, raises ConnectionFailedError for one that does not work, and nothing is kept. Raises
        ConfigurationError, SecretError, too.
        """
        report = await self.require(ConnectionRequest(credentials, event_hub_name), force=force)
        return Connected(await self.authenticate(destination_id, credentials), report)

    async def rotate(
        self, destination: Destination, key: str, *, key_name: str | None = None, force: bool = False
    ) -> Rotated:
        """The same for another key of a destination that has one, of the same policy or of that with `key_name`.

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
                authentication.namespace, key_name or authentication.key_name, key, local_allowed=self.local
            )
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        connected = await self.connect(destination.id, credentials, destination.event_hub_name, force=force)
        return Rotated(connected.authentication, connected.report, self.old_key_needed)

    async def forget(self, removed: Destination, left: Iterable[Destination]) -> bool:
        """Delete the key that was kept for a destination which is removed, in all versions, and say whether that was
        called for. Raises SecretError.
        """
        if not has_own_key(removed, left):
            return False
        await self.secrets.delete(hub_key_name(removed.id))
        return True

    async def _verify(
        self, credentials: Credentials, event_hub_name: str | None
    ) -> Verified | ConnectionProblem | None:
        return await self.verifier.verify(credentials, event_hub_name) if event_hub_name else None

    def _checked(self, credentials: Credentials) -> Credentials:
        """The same with the namespace spelt out: nobody may have the app connect just anywhere."""
        try:
            namespace = parse_namespace(credentials.namespace, local_allowed=self.local)
        except ValueError as error:
            raise ConfigurationError(f"namespace: {error}") from None
        return replace(credentials, namespace=namespace)


def _secret_of(destination: Destination) -> str | None:
    authentication = destination.authentication
    return authentication.secret.name if isinstance(authentication, SasAuthentication) else None


def has_own_key(destination: Destination, others: Iterable[Destination]) -> bool:
    """Whether a key was kept for the destination that none of the `others` uses."""
    name = hub_key_name(destination.id)
    return _secret_of(destination) == name and name not in map(_secret_of, others)


def hub_key_name(destination_id: str) -> str:
    return f"profile-relay-{destination_id}"
