"""What a credential adds to a request: a part of its address, and lines of its head. The service wants each dated."""

import asyncio
import base64
import hmac
from email.utils import formatdate
from time import time
from typing import Any, Protocol

from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.core.credentials_async import AsyncTokenCredential

from shared.adapters.identity import STORAGE_SCOPE
from shared.adapters.kept_tokens import KeptTokens


class Signer(Protocol):
    @property
    def query(self) -> str:
        """With its question mark, or empty."""

    async def head(self, path: str, deadline: float) -> str:
        """The lines for a request of `path`. Raises what the credential raises, TimeoutError at the deadline."""

    def refused(self) -> None:
        """The service took what was given last for no good credential."""


def signer_of(credential: Any, query: str) -> Signer:
    """`query` is of the service's address, which may hold a signature itself."""
    if isinstance(credential, AzureNamedKeyCredential):
        return _SharedKey(credential.named_key.name, base64.b64decode(credential.named_key.key), query)
    if credential is None or isinstance(credential, AzureSasCredential):
        return _Signature(credential, query)
    return _Token(credential, query)


class _Dated:
    """The date as HTTP writes it, made once a second."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def now(self) -> str:
        second = int(time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True)
        return self._text


class _SharedKey:
    """Signs by Shared Key Lite for the Table service."""

    def __init__(self, account: str, key: bytes, query: str) -> None:
        self.query = query
        self._account = account
        self._key = key
        self._date = _Dated()

    async def head(self, path: str, _deadline: float) -> str:
        date = self._date.now()
        signature = hmac.digest(self._key, f"{date}\n/{self._account}{path}".encode(), "sha256")
        encoded = base64.b64encode(signature).decode()
        return f"x-ms-date: {date}\r\nAuthorization: SharedKeyLite {self._account}:{encoded}\r\n"

    def refused(self) -> None:
        return


class _Signature:
    """A shared access signature, which its owner may update at any time, or which the address has."""

    def __init__(self, credential: AzureSasCredential | None, query: str) -> None:
        self._credential = credential
        self._query = query
        self._date = _Dated()

    @property
    def query(self) -> str:
        if self._credential is None:
            return self._query
        return f"{self._query or '?'}{'&' if self._query else ''}{self._credential.signature.lstrip('?')}"

    async def head(self, _path: str, _deadline: float) -> str:
        return f"x-ms-date: {self._date.now()}\r\n"

    def refused(self) -> None:
        return


class _Token:
    """The credential keeps its tokens itself, and shares them with all clients."""

    def __init__(self, credential: AsyncTokenCredential, query: str) -> None:
        self.query = query
        self._credential = credential
        self._given = ""
        self._date = _Dated()

    async def head(self, _path: str, deadline: float) -> str:
        async with asyncio.timeout_at(deadline):
            self._given = (await self._credential.get_token(STORAGE_SCOPE)).token
        return f"x-ms-date: {self._date.now()}\r\nAuthorization: Bearer {self._given}\r\n"

    def refused(self) -> None:
        if isinstance(self._credential, KeptTokens):
            self._credential.refused(self._given)
