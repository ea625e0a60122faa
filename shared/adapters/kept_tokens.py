"""Tokens of the app's identity, kept for all clients: while signing in fails, the last one serves until it ends."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError

from shared.domain.instants import SECOND, format_instant

PAUSE = 15.0
"""Seconds after a failure in which nobody asks again."""
_FAILS_STILL = 300.0
"""Seconds after a failure: who has asked for nothing since then needs no token any more."""
_LATE = 1 / 8
"""Of a token's life, at its end: who asks then may not ask again. An open link of Event Hubs does at a tenth."""
PATIENCE = 3.0
"""Seconds for which a request waits for a token: fewer than a hub or storage has, whose fault it would seem."""
_TIMEOUT = 45.0
_ADVICE = "see that the Function App has its identity, and whether the platform's identity endpoint answers"
_SHOWN_CHARACTERS = 300
_IDENTITY, _TROUBLESHOOTING = "ManagedIdentityCredential: ", " To mitigate this issue"
"""In what the SDK's chain of credentials says, before and after what came of asking for the identity's token."""
_log = logging.getLogger(__name__)


class SignInError(ClientAuthenticationError):
    """No token is to be had, and none that is good is left. The message says since when, why, and what to do.

    `asked_ago`: seconds since one was last asked for in vain; infinite where the answer is still awaited.
    """

    asked_ago = 0.0


@dataclass(slots=True)
class _Kept:
    """The last token of one scope, and how asking for the next one goes. Times are seconds since 1970."""

    token: AccessTokenInfo | None = None
    renew_at: float = 0.0
    late_at: float = 0.0
    refused: bool = False
    trusted_until: float = 0.0
    asking: "asyncio.Task[None] | None" = None
    failing_since: float | None = None
    failure: str = ""
    failed_at: float = -inf

    def good(self, now: float) -> AccessTokenInfo | None:
        return self.token if self.token is not None and now < self.token.expires_on else None

    def refuse(self, now: float) -> None:
        """Unless it has just come for one that was refused: then the next one would be, too."""
        self.refused |= now >= self.trusted_until


class KeptTokens:
    """A credential around the SDK's own, whose asynchronous one raises while the token it holds is good for hours.

    The last token of each scope is handed out for as long as it is good. From half of its life on, or from when it
    says itself, the next one is asked for beside those who use it, who wait for it only near the end. There is one
    request at a time for a scope: whoever needs its answer waits for the same one, `patience` seconds at most, and
    hears of the same failure; then nobody asks for `pause` seconds. A token that a service refused is renewed before it
    is handed out again, once in so many seconds where the next one is refused, too. The SDK's credential would repeat
    it, and any token for half a minute after a request for some other scope: so `make` makes one for each request.
    `now` gives seconds since 1970.
    """

    def __init__(
        self,
        make: Callable[[], AsyncTokenCredential],
        now: Callable[[], float] = time.time,
        pause: float = PAUSE,
        patience: float = PATIENCE,
    ) -> None:
        self._make = make
        self._now = now
        self._pause = pause
        self._patience = patience
        self._kept: dict[tuple[object, ...], _Kept] = {}

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """As `get_token_info`, for clients that ask the older way."""
        token = await self._token(scopes, options)
        return AccessToken(token.token, token.expires_on)

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """A token for `scopes`; with `claims`, the service has refused the last one. Raises SignInError."""
        token = await self._token(scopes, {**(options or {})})
        # A client asks again when it is time to renew, which it would do for itself; and it would wait for that.
        return AccessTokenInfo(token.token, token.expires_on, token_type=token.token_type, refresh_on=int(self._now()))

    def refused(self, token_or_scope: str) -> None:
        """A service has answered that this token, or its token of this scope, is none (any more)."""
        for key, kept in self._kept.items():
            if token_or_scope in key or (kept.token is not None and kept.token.token == token_or_scope):
                kept.refuse(self._now())

    async def instead_of(self, token: str, scope: str) -> str | None:
        """Another token of this scope than the one that a service has refused; None where there is none for now.

        Raises SignInError.
        """
        self.refused(token)
        other = (await self._token((scope,), {})).token
        return None if other == token else other

    @property
    def failing_since(self) -> float | None:
        """Since when there was no new token for a scope that is asked for still, also where the last one is good."""
        recently = self._now() - _FAILS_STILL
        failing = [each.failing_since for each in self._kept.values() if each.failed_at > recently]
        return min((since for since in failing if since is not None), default=None)

    async def close(self) -> None:
        """Nobody needs what is still being asked for."""
        asking = [kept.asking for kept in self._kept.values() if kept.asking is not None]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def __aenter__(self) -> "KeptTokens":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _token(self, scopes: tuple[str, ...], options: dict[str, Any]) -> AccessTokenInfo:
        same = (*scopes, *sorted((name, value) for name, value in options.items() if name != "claims"))
        kept = self._kept.setdefault(same, _Kept())
        now = self._now()
        if options.get("claims"):
            kept.refuse(now)
        good = kept.good(now)
        if good is None or kept.refused or now >= kept.renew_at:
            asking = self._asking(kept, scopes, options)
            if asking is not None and (good is None or kept.refused or now >= kept.late_at):
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._patience):
                        await asyncio.shield(asking)
                good = kept.good(self._now())
        if good is None:
            failure = kept.failure or "no token has come yet"
            error = SignInError(f"sign-in fails since {_text(kept.failing_since or now)}: {failure}; {_ADVICE}")
            error.asked_ago = self._now() - kept.failed_at if kept.asking is None else inf
            raise error
        return good

    def _asking(self, kept: _Kept, scopes: tuple[str, ...], options: dict[str, Any]) -> "asyncio.Task[None] | None":
        if kept.asking is None and self._now() >= kept.failed_at + self._pause:
            kept.asking = asyncio.ensure_future(self._ask(kept, scopes, options))
        return kept.asking

    async def _ask(self, kept: _Kept, scopes: tuple[str, ...], options: dict[str, Any]) -> None:
        began = self._now()
        try:
            async with asyncio.timeout(_TIMEOUT):
                token = await self._new(scopes, options)
        except Exception as error:
            self._failed(kept, scopes, error)
        else:
            if kept.failing_since is not None:
                _log.warning("Sign-in works again for %s.", " ".join(scopes))
            if kept.refused:
                kept.trusted_until = self._now() + self._pause
            kept.token, kept.refused, kept.failing_since, kept.failure = token, False, None, ""
            life = token.expires_on - began
            kept.renew_at = token.refresh_on or began + life / 2
            kept.late_at = token.expires_on - life * _LATE
        finally:
            kept.asking = None

    async def _new(self, scopes: tuple[str, ...], options: dict[str, Any]) -> AccessTokenInfo:
        credential = self._make()
        try:
            return await _token_of(credential, scopes, options)
        finally:
            await credential.close()

    def _failed(self, kept: _Kept, scopes: tuple[str, ...], error: Exception) -> None:
        now = self._now()
        kept.failure = _reason(error)
        kept.failed_at = now
        if kept.failing_since is None:
            kept.failing_since = now
            good = kept.good(now)
            rest = f"the last token is good until {_text(good.expires_on)}" if good else "there is no token"
            _log.warning("Sign-in fails for %s: %s; %s; %s.", " ".join(scopes), kept.failure, rest, _ADVICE)


async def _token_of(
    credential: AsyncTokenCredential, scopes: tuple[str, ...], options: dict[str, Any]
) -> AccessTokenInfo:
    if hasattr(credential, "get_token_info"):
        token: AccessTokenInfo = await credential.get_token_info(*scopes, options=options)
        return token
    older = await credential.get_token(*scopes, **options)
    return AccessTokenInfo(older.token, older.expires_on)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT:g} s"
    said = " ".join(str(error).split())
    # Before that, whatever is not set up here either is explained at length.
    _, _, of_identity = said.partition(_IDENTITY)
    return (of_identity.partition(_TROUBLESHOOTING)[0] or said)[:_SHOWN_CHARACTERS] or type(error).__name__


def _text(seconds: float) -> str:
    return format_instant(int(seconds) * SECOND)
