"""How the hub of a destination is reached: by the destination's own authentication, or by an app setting."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import certifi
from azure.core.credentials_async import AsyncTokenCredential
from azure.eventhub.aio import EventHubProducerClient, EventHubSharedKeyCredential

from shared.adapters.identity import credential
from shared.adapters.kept_tokens import KeptTokens
from shared.domain.configuration.credentials import Credentials, IdentityCredentials, SasCredentials, parse_setting
from shared.domain.configuration.model import Authentication, Destination, SasAuthentication
from shared.domain.namespaces import is_local_namespace, parse_namespace
from shared.errors import ConfigurationError
from shared.ports.connections import SecretStore
from shared.settings import Connection

ConnectionOf = Callable[[str], Connection]
Identity = Callable[[IdentityCredentials], AsyncTokenCredential]
SCOPE = "https://eventhubs.azure.net//.default"
"""As the SDK asks for it: one token serves the check of a connection and its links."""


def credential_of(identity: IdentityCredentials) -> AsyncTokenCredential:
    """The app's identity, for the SDK."""
    return credential(identity.client_id)


@dataclass(frozen=True, slots=True)
class HubAccess:
    """What opens one hub. `credential` is the SDK's form of `credentials`, which keeps tokens for all connections."""

    credentials: Credentials
    event_hub_name: str
    credential: AsyncTokenCredential | EventHubSharedKeyCredential

    def client(self) -> EventHubProducerClient:
        """A client of its own, which connects with its first request and tries nothing twice by itself."""
        namespace = self.credentials.namespace
        return EventHubProducerClient(
            namespace,
            self.event_hub_name,
            self.credential,
            retry_total=0,
            use_tls=not is_local_namespace(namespace),
            ssl_context=trusted_certificates(),  # also where nothing is encrypted: it would be made all the same
        )

    def token_was_refused(self) -> None:
        """Let the next connection sign in with a token that the service has not seen yet; a key has none."""
        if isinstance(self.credential, KeptTokens):
            self.credential.refused(SCOPE)


def access_to(credentials: Credentials, event_hub_name: str, identity: Identity = credential_of) -> HubAccess:
    if isinstance(credentials, SasCredentials):
        return HubAccess(
            credentials, event_hub_name, EventHubSharedKeyCredential(credentials.key_name, credentials.key)
        )
    return HubAccess(credentials, event_hub_name, identity(credentials))


@cache
def trusted_certificates() -> ssl.SSLContext:
    """Those that the SDK trusts, for all clients: each connection of one that is given none reads them anew."""
    return ssl.create_default_context(cafile=certifi.where())


class HubConnections:
    """`connection_of` gives the connection behind a setting's name; `local` is the app on the local stack."""

    def __init__(self, connection_of: ConnectionOf, secrets: SecretStore, *, local: bool) -> None:
        self._connection_of = connection_of
        self._secrets = secrets
        self._local = local

    async def access(self, destination: Destination) -> HubAccess:
        """What opens the destination's hub. Reads its key; raises SettingError, ConfigurationError, SecretError."""
        if destination.authentication is not None:
            return access_to(await self._credentials(destination.authentication), destination.event_hub_name)
        try:
            found = parse_setting(self._connection_of(destination.connection), local_allowed=self._local)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        return access_to(found.credentials, destination.event_hub_name)

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
