"""Posts events to webhooks with aiohttp, and to public addresses alone."""

import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from shared.domain.alerts.webhooks import is_public_address
from shared.ports.alerts import WebhookAnswer

TIMEOUT = 10.0


class NotPublicError(OSError):
    """A name stands for an address that is none of the public."""


class PublicResolver(AbstractResolver):
    """Finds the public addresses of a name, to be connected to as they were found; one among them that is not public
    makes it refuse them all, for nobody's public host has such.
    """

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if not all(is_public_address(each["host"]) for each in found):
            raise NotPublicError(None, "the host's name stands for an address that is not public")
        return found

    async def close(self) -> None:
        await self._resolver.close()


class HttpWebhookSender:
    """Makes a connection for each event: there are few, and none is to outlive what its name stood for.

    `resolver` finds the addresses of names, the system's unless told otherwise.
    """

    def __init__(self, timeout: float = TIMEOUT, resolver: AbstractResolver | None = None) -> None:
        self._timeout = timeout
        self._resolver = resolver

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> WebhookAnswer:
        resolver = PublicResolver(self._resolver or aiohttp.ThreadedResolver())
        connector = aiohttp.TCPConnector(resolver=resolver, force_close=True)
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                status = answer.status
        except TimeoutError:
            return WebhookAnswer(None, f"no answer within {self._timeout:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return WebhookAnswer(None, _why(error))
        if 200 <= status < 300:
            return WebhookAnswer(status, None)
        redirect = ": redirects are not followed" if 300 <= status < 400 else ""
        return WebhookAnswer(status, f"HTTP {status}{redirect}")


def _why(error: Exception) -> str:
    """Without the address, which may hold a secret in its path, and without what the receiver wrote."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, NotPublicError):
        return "the host's name stands for an address that is not public: subscribe with a public one"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host's name is not known"
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError)):
        return "the host's certificate is not to be trusted"
    return f"the host cannot be reached ({type(error).__name__})"
