"""The checkpoints of the SDKs' processors: empty blobs, of which names and metadata are listed and nothing is read."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError

from shared.adapters.blobs import connect
from shared.adapters.kept_tokens import SignInError
from shared.adapters.storage_reasons import reason_of
from shared.domain.configuration.checkpoint_container import CheckpointContainer, parse_checkpoint_container
from shared.domain.exports.lag import Checkpoint, checkpoint_of, host_of
from shared.domain.instants import SECOND
from shared.domain.namespaces import is_local_namespace
from shared.errors import ConsumerLagError
from shared.settings import Connection

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties
    from azure.storage.blob.aio import BlobServiceClient, ContainerClient

_PAGE = 5_000
_MOST_PAGES = 4
_ROLE = "give the app's identity the role Storage Blob Data Reader there, and let its network in"


class BlobCheckpoints:
    """`own` is the app's own storage account, reached as its setting says; all others the app reaches by its identity.

    `timeout` in seconds, of reading one container.
    """

    def __init__(self, own: Callable[[], Connection], timeout: float = 15.0) -> None:
        self._own = own
        self._timeout = timeout

    async def read(self, container_url: str, namespace: str, hub: str) -> list[Checkpoint]:
        try:
            container = parse_checkpoint_container(container_url)
        except ValueError as error:
            raise ConsumerLagError("refused", f"consumerCheckpoints: {error}") from None
        try:
            async with asyncio.timeout(self._timeout), self._account(container) as account:
                return await checkpoints_in(account.get_container_client(container.name), namespace, hub)
        except TimeoutError:
            raise ConsumerLagError(
                "unreachable", f"{container.url}: its blobs were not listed within {self._timeout:g} s"
            ) from None

    @asynccontextmanager
    async def _account(self, container: CheckpointContainer) -> AsyncIterator["BlobServiceClient"]:
        connection = self._own()
        account = connect(connection)
        if account.url.rstrip("/") != container.account:
            own = account.url.rstrip("/")
            await account.close()
            if container.is_local:
                raise ConsumerLagError(
                    "refused",
                    f"{container.url}: expected a container of Azure, or one of the app's own storage account, {own}",
                )
            account = connect(Connection(connection.name, endpoint=container.account, client_id=connection.client_id))
        async with account:
            yield account


async def checkpoints_in(container: "ContainerClient", namespace: str, hub: str) -> list[Checkpoint]:
    """As `CheckpointReader.read`, of a container whose account is open. Raises ConsumerLagError."""
    url = container.url.partition("?")[0]
    try:
        return await _listed(container, namespace, hub) or await _first_page_of(container)
    except ResourceNotFoundError:
        raise ConsumerLagError("not-found", f"{url}: there is no container of this name in the account") from None
    except SignInError as error:
        raise ConsumerLagError("forbidden", f"{url}: the app could not sign in to read it: {error.message}") from error
    except HttpResponseError as error:
        if error.status_code in (401, 403):
            raise ConsumerLagError("forbidden", f"{url}: the app may not read it ({_said(error)}): {_ROLE}") from error
        raise ConsumerLagError("unreachable", f"{url}: its blobs could not be listed: {_said(error)}") from error
    except AzureError as error:
        raise ConsumerLagError(
            "unreachable", f"{url}: its account does not answer ({_said(error)}): is its name right?"
        ) from error


async def _listed(container: "ContainerClient", namespace: str, hub: str) -> list[Checkpoint]:
    """Those of the hub. Raises ConsumerLagError where there is too much beside them."""
    # A local host stands there with its port or without.
    host = host_of(namespace)
    prefix = host if is_local_namespace(namespace) else f"{host}/{hub.lower()}/"
    found: list[Checkpoint] = []
    pages = container.list_blobs(name_starts_with=prefix, include=["metadata"], results_per_page=_PAGE).by_page()
    read = 0
    async for page in pages:
        read += 1
        found += [each async for each in _checkpoints(page)]
        if read == _MOST_PAGES and getattr(pages, "continuation_token", None):
            raise ConsumerLagError(
                "refused",
                f"{container.url.partition('?')[0]}: it has more than {_PAGE * _MOST_PAGES:,} blobs of this namespace: "
                "let the hub's consumers keep their checkpoints in a container of their own",
            )
    return [each for each in found if each.hub.lower() == hub.lower()]


async def _first_page_of(container: "ContainerClient") -> list[Checkpoint]:
    """Some of what is there, to tell of."""
    blobs = container.list_blobs(include=["metadata"], results_per_page=_PAGE).by_page()
    async for page in blobs:
        return [each async for each in _checkpoints(page)]
    return []


async def _checkpoints(page: "AsyncIterator[BlobProperties]") -> AsyncIterator[Checkpoint]:
    async for blob in page:
        written_at = int(blob.last_modified.timestamp() * SECOND)
        if (found := checkpoint_of(str(blob.name), blob.metadata or {}, written_at)) is not None:
            yield found


def _said(error: AzureError) -> str:
    return reason_of(error)[:300]
