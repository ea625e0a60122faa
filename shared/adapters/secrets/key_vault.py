"""The SecretStore on Azure Key Vault. Imported only where KEY_VAULT_URI is set: the SDK is slow to load."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.keyvault.secrets.aio import SecretClient

from shared.adapters.identity import credential, renew_if_refused
from shared.adapters.kept_tokens import SignInError
from shared.domain.instants import SECOND
from shared.errors import NoSignInError, SecretError
from shared.settings import Connection

REQUEST_TIMEOUT = 15.0
_ROLE = "give it the role Key Vault Secrets Officer on the vault (Secrets User, to read only)"


def connect(vault: Connection, identity: AsyncTokenCredential | None = None, **options: Any) -> SecretClient:
    """A client for the vault, as the app's identity; no request is made yet."""
    return SecretClient(
        vault.endpoint or "",
        identity or credential(vault.client_id),
        connection_timeout=5,
        read_timeout=10,
        retry_total=2,
        retry_backoff_factor=0.2,
        use_env_settings=False,
        **options,
    )


class KeyVaultSecrets:
    writable = True

    def __init__(self, client: SecretClient) -> None:
        self._client = client

    async def store(self, name: str, value: str) -> str:
        async with self._translated("store", name):
            try:
                secret = await self._client.set_secret(name, value, content_type="text/plain")
            except ResourceExistsError:  # deleted a while ago, and kept by the vault: its name is taken until then
                await self._client.recover_deleted_secret(name)
                secret = await self._client.set_secret(name, value, content_type="text/plain")
        return str(secret.properties.version)

    async def read(self, name: str, version: str | None = None) -> str:
        async with self._translated("read", name):
            secret = await self._client.get_secret(name, version)
        return secret.value or ""

    async def expires_at(self, name: str, version: str | None = None) -> int | None:
        async with self._translated("look at", name):
            secret = await self._client.get_secret(name, version)
        end = secret.properties.expires_on
        return None if end is None else int(end.timestamp()) * SECOND

    async def delete(self, name: str) -> None:
        async with self._translated("delete", name):
            try:
                await self._client.delete_secret(name)
            except ResourceNotFoundError:
                return

    async def close(self) -> None:
        await self._client.close()

    @asynccontextmanager
    async def _translated(self, operation: str, name: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                yield
        except (AzureError, TimeoutError, ValueError) as error:
            # Not chained: the SDK's error holds the request, and that may hold the key.
            kind = NoSignInError if isinstance(error, SignInError) else SecretError
            raise kind(f"Key Vault {self._client.vault_url}: could not {operation} {name}: {_why(error)}") from None


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {REQUEST_TIMEOUT:g} s"
    if isinstance(error, ResourceNotFoundError):
        return "there is no such secret or version: connect its destination anew, with its key"
    if isinstance(error, SignInError):
        return error.message
    if isinstance(error, ClientAuthenticationError):
        renew_if_refused(error)
        return f"the app could not sign in: does it have an identity? If so, {_ROLE}"
    if isinstance(error, HttpResponseError):
        if error.status_code == 403:
            return _why_forbidden(error)
        return f"HTTP {error.status_code} {error.reason}"
    if isinstance(error, (ServiceRequestError, ServiceResponseError)):
        return f"the vault cannot be reached: is KEY_VAULT_URI right, and does its firewall let the app in? ({error})"
    return f"{type(error).__name__}: is KEY_VAULT_URI the URI of a vault?"


def _why_forbidden(error: HttpResponseError) -> str:
    inner = getattr(error.error, "innererror", None) or {}
    if inner.get("code") == "ForbiddenByFirewall":
        return "the vault's firewall does not let the app in: allow its virtual network there"
    return f"the app's identity may not: {_ROLE}"
