"""The way of Azure Storage's SDKs over HTTP, on which a token that a service refuses is replaced within the request.

Their own clients ask for another token only where the service names claims or a tenant, and get the same one from the
SDK's credential, which knows nothing of the refusal. So all of them send by this one, with the app's credential.
"""

from typing import Any

from azure.core.pipeline.transport import AioHttpTransport

from shared.adapters.identity import AUTHORIZATION, STORAGE_SCOPE, UNAUTHORIZED, token_of
from shared.adapters.kept_tokens import KeptTokens


class RenewingTransport(AioHttpTransport):  # type: ignore[misc]  # the SDK gives it no type
    """`options` are those of AioHttpTransport. Raises what that does, and SignInError."""

    def __init__(self, credential: KeptTokens, **options: Any) -> None:
        super().__init__(**options)
        self._credential = credential

    async def send(self, request: Any, **config: Any) -> Any:
        answer = await super().send(request, **config)
        token = token_of(request)
        if answer.status_code != UNAUTHORIZED or token is None:
            return answer
        other = await self._credential.instead_of(token, STORAGE_SCOPE)
        if other is None:
            return answer
        answer.internal_response.close()
        request.headers[AUTHORIZATION] = f"Bearer {other}"
        return await super().send(request, **config)
