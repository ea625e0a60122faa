"""Azurite over TLS, which takes bearer tokens, and a front before it that refuses those which were withdrawn."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local.ports import HOST, Ports
from local.stack.emulators import Azurite
from local.storage_faults.messages import Request, read_request, read_response
from shared.hosting import RELAY_STORAGE

SERVICES = ("blob", "queue", "table")
_BEARER = "Bearer "
_REFUSAL = b'{"odata.error":{"code":"InvalidAuthenticationInfo","message":{"lang":"en-US","value":"It is refused."}}}'


class AzuriteByToken(Azurite):
    """By the key and the certificate in one file; a token is looked at, and a key is taken as well."""

    def __init__(self, log: Path, certificate: Path) -> None:
        super().__init__(log, Ports(blob=0, queue=0, table=0, amqp=0, control=0), None)
        self._certificate = str(certificate)

    def _command(self) -> Sequence[str]:
        return [*super()._command(), "--oauth", "basic", "--cert", self._certificate, "--key", self._certificate]

    @property
    def connection_string(self) -> str:
        return super().connection_string.replace("http://", "https://").replace("Protocol=http;", "Protocol=https;")

    @property
    def settings(self) -> dict[str, str]:
        return settings_of({service: getattr(self.ports, service) for service in SERVICES})


def settings_of(ports: dict[str, int]) -> dict[str, str]:
    """The app's, for the services that listen at these ports."""
    return {
        f"{RELAY_STORAGE}__{service}ServiceUri": f"https://{HOST}:{port}/devstoreaccount1"
        for service, port in ports.items()
    }


@dataclass
class TokenFront:
    """Before the services of one account. `challenge` is told with each 401, in the header WWW-Authenticate.

    `refusals` counts the requests of each service that got one.
    """

    ports: dict[str, int] = field(default_factory=dict)
    challenge: str | None = None
    takes_none: bool = False
    refusals: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SERVICES, 0))
    _seen: set[str] = field(default_factory=set)
    _withdrawn: set[str] = field(default_factory=set)

    def withdraw(self) -> None:
        """All tokens that have come until now."""
        self._withdrawn |= self._seen

    def refuses(self, request: Request) -> bool:
        token = request.head.headers.get("authorization", "").removeprefix(_BEARER)
        self._seen.add(token)
        return self.takes_none or token in self._withdrawn

    def answer_to(self, method: str) -> bytes:
        lines = ["HTTP/1.1 401 Unauthorized", "Content-Type: application/json", f"Content-Length: {len(_REFUSAL)}"]
        lines.append("x-ms-error-code: InvalidAuthenticationInfo")
        if self.challenge is not None:
            lines.append(f"WWW-Authenticate: {self.challenge}")
        head = "\r\n".join([*lines, "", ""]).encode()
        return head if method == "HEAD" else head + _REFUSAL


@asynccontextmanager
async def token_front(ports: dict[str, int], certificate: Path) -> AsyncIterator[TokenFront]:
    """A front before the services at these ports, which all have this certificate with its key."""
    front = TokenFront()
    listening = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    listening.load_cert_chain(certificate)
    connecting = ssl.create_default_context(cafile=str(certificate))
    connections: set[asyncio.Task[None]] = set()

    async def serve(service: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection(HOST, ports[service], ssl=connecting)
        try:
            while (request := await read_request(reader)) is not None:
                if front.refuses(request):
                    front.refusals[service] += 1
                    writer.write(front.answer_to(request.method))
                else:
                    to_writer.write(request.raw)
                    writer.write((await read_response(to_reader, request.method)).raw)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return  # the client or the service went away
        finally:
            writer.close()
            to_writer.close()

    def accepting(service: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = asyncio.create_task(serve(service, reader, writer))
            connections.add(connection)
            connection.add_done_callback(connections.discard)

        return accept

    servers = [await asyncio.start_server(accepting(service), HOST, 0, ssl=listening) for service in SERVICES]
    front.ports = {
        service: server.sockets[0].getsockname()[1] for service, server in zip(SERVICES, servers, strict=True)
    }
    try:
        yield front
    finally:
        for server in servers:
            server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
