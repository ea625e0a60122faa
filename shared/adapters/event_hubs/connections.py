"""How the hub of a destination is reached: by the destination's own authentication, or by an app setting."""

from collections.abc import Callable
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.eventhub.aio import EventHubProducerClient, EventHubSharedKeyCredential

from shared.domain.configuration.credentials import Credentials, IdentityCredentials, SasCredentials
from shared.domain.configuration.model import Authentication, Destination, SasAuthentication
from shared.domain.namespaces import is_local_namespace, parse_namespace
from shared.errors import ConfigurationError
from shared.ports.connections import SecretStore
from shared.settings import Connection

ConnectionOf = Callable[[str], Connection]
# One internal reconnect: the service closes connections that were idle for 240 s, and links after half an hour.
_OPTIONS: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.1}


def credential_of(identity: IdentityCredentials) -> AsyncTokenCredential:
    """The app's identity, for the SDK."""
    from shared.adapters.identity import credential  # slow to import, and not needed with keys

    return credential(identity.client_id)


def client_of(
    credentials: Credentials,
    event_hub_name: str,
    identity: Callable[[IdentityCredentials], AsyncTokenCredential] = credential_of,
    **options: Any,
) -> EventHubProducerClient:
    """A client for the hub; it connects with the first request."""
    if isinstance(credentials, SasCredentials):
        key = EventHubSharedKeyCredential(credentials.key_name, credentials.key)
        use_tls = not is_local_namespace(credentials.namespace)
        return EventHubProducerClient(credentials.namespace, event_hub_name, key, use_tls=use_tls, **options)
    return EventHubProducerClient(credentials.namespace, event_hub_name, identity(credentials), **options)


def connect(connection: Connection, event_hub_name: str) -> EventHubProducerClient:
    """The same for the connection of an app setting."""
    if connection.connection_string:
        return EventHubProducerClient.from_connection_string(
            connection.connection_string, eventhub_name=event_hub_name, **_OPTIONS
        )
    identity = IdentityCredentials(connection.endpoint or "", connection.client_id)
    return client_of(identity, event_hub_name, **_OPTIONS)


class HubConnections:
    """`connection_of` gives the connection behind a setting's name; `local` is the app on the local stack."""

    def __init__(self, connection_of: ConnectionOf, secrets: SecretStore, *, local: bool) -> None:
        self._connection_of = connection_of
        self._secrets = secrets
        self._local = local

    async def client(self, destination: Destination) -> EventHubProducerClient:
        """A client for the destination's hub. Reads its key; raises SettingError, ConfigurationError, SecretError."""
        if destination.authentication is None:
            return connect(self._connection_of(destination.connection), destination.event_hub_name)
        credentials = await self._credentials(destination.authentication)
        return client_of(credentials, destination.event_hub_name, **_OPTIONS)

    async def _credentials(self, authentication: Authentication) -> Credentials:
        try:
            # A file that was applied says what it likes: this is where it shows whether the app is on the local stack.
            namespace = parse_namespace(authentication.namespace, local_allowed=self._local)
        except ValueError as error:
            raise ConfigurationError(f"authentication/namespace: {error}") from error
        if isinstance(authentication, SasAuthentication):
            secret = authentication.secret
            key = await self._secrets.read(secret.name, secret.version)
            return SasCredentials(namespace, authentication.key_name, key)
        return IdentityCredentials(namespace, authentication.client_id)
