"""The HubVerifier on Event Hubs: opens a hub for sending without sending anything, and lists a namespace's hubs."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, get_args

from azure.core.exceptions import ClientAuthenticationError
from azure.eventhub.aio import EventHubSharedKeyCredential

from shared.adapters.event_hubs import listing
from shared.adapters.event_hubs.connections import SCOPE, HubAccess, Identity, access_to, credential_of
from shared.adapters.event_hubs.hub_connection import HubConnection, KeptAccess, NoAnswerError
from shared.adapters.event_hubs.problems import no_token, unknown_host, unreachable
from shared.domain.configuration.credentials import Credentials, IdentityCredentials
from shared.domain.namespaces import is_local_namespace
from shared.errors import FailureCode, SendError
from shared.ports.connections import ConnectionProblem, ProblemKind, Verified

_KIND_OF: dict[str, ProblemKind] = {kind: kind for kind in get_args(ProblemKind)}
_AMQPS = 5671


async def resolve(host: str) -> Any:
    """Ask DNS. Raises OSError."""
    return await asyncio.get_running_loop().getaddrinfo(host, _AMQPS, type=socket.SOCK_STREAM)


class EventHubsVerifier:
    """`local_control_port` is where the local stack lists its hubs; `timeout` in seconds."""

    def __init__(
        self,
        local_control_port: int | None = None,
        timeout: float = 15.0,
        resolve: Callable[[str], Awaitable[Any]] = resolve,
        identity: Identity = credential_of,
    ) -> None:
        self._local_control_port = local_control_port
        self._timeout = timeout
        self._resolve = resolve
        self._identity = identity

    async def verify(self, credentials: Credentials, event_hub_name: str) -> Verified | ConnectionProblem:
        problem = await self._unknown_host(credentials.namespace)
        if problem is None and isinstance(credentials, IdentityCredentials):
            token = await self._token(credentials)
            problem = token if isinstance(token, ConnectionProblem) else None
        return problem or await self._opened(credentials, event_hub_name)

    async def list_hubs(self, credentials: Credentials) -> tuple[str, ...] | ConnectionProblem:
        namespace = credentials.namespace
        if is_local_namespace(namespace):
            if self._local_control_port is None:
                return ConnectionProblem("other", f"{namespace} cannot list its hubs: name the hub")
            base = f"http://127.0.0.1:{self._local_control_port}"
        else:
            base = f"https://{namespace}"
        if isinstance(credentials, IdentityCredentials):
            token = await self._token(credentials)
            if isinstance(token, ConnectionProblem):
                return token
            authorization = f"Bearer {token}"
        else:
            key = EventHubSharedKeyCredential(credentials.key_name, credentials.key)
            authorization = (await key.get_token(f"https://{namespace}/")).token
        return await listing.list_hubs(credentials, base, authorization, self._timeout)

    async def _opened(self, credentials: Credentials, event_hub_name: str) -> Verified | ConnectionProblem:
        async def access() -> HubAccess:
            return access_to(credentials, event_hub_name, self._identity)

        hub = HubConnection(event_hub_name, KeptAccess(access), self._timeout)
        try:
            partitions = await hub.partitions()
            await hub.new_batch(partitions[0])  # opens the link, to learn how much it takes
        except NoAnswerError as error:
            if error.code == FailureCode.TIMEOUT:
                return ConnectionProblem("timeout", f"{credentials.namespace} answers, but not in time: {error.reason}")
            return unreachable(credentials.namespace, error.reason)
        except SendError as error:
            return ConnectionProblem(_KIND_OF[error.code], error.reason)
        finally:
            await hub.close()
        return Verified(partitions)

    async def _unknown_host(self, namespace: str) -> ConnectionProblem | None:
        if is_local_namespace(namespace):
            return None
        try:
            async with asyncio.timeout(self._timeout):
                # Where it leads is not looked at: a private endpoint is a private address. The suffix of the name is
                # what keeps the app from connecting just anywhere.
                await self._resolve(namespace)
        except (OSError, UnicodeError):  # TimeoutError is an OSError
            return unknown_host(namespace)
        return None

    async def _token(self, identity: IdentityCredentials) -> str | ConnectionProblem:
        try:
            async with asyncio.timeout(self._timeout):
                return (await self._identity(identity).get_token(SCOPE)).token
        except ClientAuthenticationError as error:
            return no_token(identity, error.message)
        except TimeoutError:
            return no_token(identity, f"no token within {self._timeout:g} s")
