"""The app's own identity, for connections that name an endpoint instead of a connection string."""

from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError

from shared.adapters.kept_tokens import KeptTokens
from shared.domain.instants import SECOND

STORAGE_SCOPE = "https://storage.azure.com/.default"
AUTHORIZATION = "Authorization"
UNAUTHORIZED = 401
_BEARER = "Bearer "


_shared: dict[str | None, KeptTokens] = {}


def credential(client_id: str | None) -> KeptTokens:
    """The credential of the user-assigned identity `client_id`, or of whatever the environment offers.

    All clients share it, and none closes it.
    """

    def make() -> AsyncTokenCredential:
        from azure.identity.aio import DefaultAzureCredential  # slow to import, and not needed with connection strings

        made: AsyncTokenCredential = DefaultAzureCredential(managed_identity_client_id=client_id)
        return made

    return _shared.setdefault(client_id, KeptTokens(make))


def sign_in_failing_since() -> int | None:
    """Since when (microseconds since 1970) this worker's identities have had no new token; None while they have."""
    failing = [kept.failing_since for kept in _shared.values()]
    since = min((each for each in failing if each is not None), default=None)
    return None if since is None else int(since * SECOND)


def renew_if_refused(error: AzureError) -> None:
    """Where a service refused a token, have it renewed before it is used again."""
    if (token := refused_token(error)) is not None:
        for kept in _shared.values():
            kept.refused(token)


def refused_token(error: AzureError) -> str | None:
    """The bearer token that a service answered 401 to; None where that is not what is wrong."""
    if not isinstance(error, HttpResponseError) or error.status_code != UNAUTHORIZED or error.response is None:
        return None
    return token_of(error.response.request)


def token_of(request: Any) -> str | None:
    """The bearer token that an SDK's request has; None where it is signed otherwise."""
    sent = str(getattr(request, "headers", {}).get(AUTHORIZATION, ""))
    return sent.removeprefix(_BEARER) if sent.startswith(_BEARER) else None
