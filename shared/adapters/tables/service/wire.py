"""One attempt of a request to Table Storage over HTTP/1.1, on connections that are kept: one request at a time on each.

It tries nothing twice and judges no answer. Whoever asks has another way for whatever is none.
"""

import asyncio
import ssl
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

import httptools

IDLE_SECONDS = 50.0
"""A connection that is unused for longer is closed here, before the service does, which would meet the next request."""
_LOOK_EVERY = 1.0
_PORTS = {"http": 80, "https": 443}


class Answer(NamedTuple):
    """`error_code` is the service's own name of what is wrong, where its headers tell."""

    status: int
    etag: str
    error_code: str | None
    body: bytes


class NoAnswerError(Exception):
    """Nothing is known about whether the request was done, or even seen."""


class Connection(asyncio.Protocol):
    """`deadline`, on the loop's clock: when the answer is given up, or, while nobody asks, the connection closed."""

    transport: asyncio.Transport | None = None
    deadline = 0.0

    def __init__(self, wire: "Wire") -> None:
        self._wire = wire
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._etag = self._error_code = self._body = b""
        self._keep = False

    @property
    def usable(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def ask(self, request: bytes, deadline: float) -> "asyncio.Future[Answer]":
        """The answer, or NoAnswerError. Nobody else is being answered, and the connection is usable."""
        self._answer = asyncio.get_running_loop().create_future()
        self._etag = self._error_code = self._body = b""
        self.deadline = deadline
        if self.transport is not None:
            self.transport.write(request)
        return self._answer

    def give_up(self, why: str) -> None:
        """Close it: whatever still comes answers nobody."""
        answer, self._answer = self._answer, None
        if self.transport is not None:
            self.transport.abort()
        if answer is not None and not answer.done():
            answer.set_exception(NoAnswerError(why))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport) or hasattr(transport, "write"):
            self.transport = transport  # type: ignore[assignment]  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.give_up("an answer to nothing")
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.give_up(f"no HTTP: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._wire.lost(self)
        self.give_up(f"the connection was lost: {exc or 'the other side closed it'}")

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 4 and name.lower() == b"etag":
            self._etag = value
        elif len(name) == 15 and name.lower() == b"x-ms-error-code":
            self._error_code = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        answer, self._answer = self._answer, None
        if answer is None:
            self.give_up("an answer to nothing")
            return
        self._wire.answered(self, keep=self._parser.should_keep_alive())
        if not answer.done():
            code = self._error_code.decode("latin-1") or None
            answer.set_result(Answer(self._parser.get_status_code(), self._etag.decode("latin-1"), code, self._body))


class Wire:
    """The connections to the host of `address`: as many as there are requests at once, which whoever asks bounds."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host = parts.netloc
        self._hostname = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._over_tls = parts.scheme == "https"
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._looking: asyncio.TimerHandle | None = None

    async def ask(self, request: bytes, deadline: float) -> Answer:
        """`deadline` on the loop's clock, to the second. Raises NoAnswerError."""
        connection = self._unused() or await self._connected(deadline)
        if not connection.usable:
            raise NoAnswerError("the other side closed the connection at once")
        self._busy.add(connection)
        answer = connection.ask(request, deadline)
        try:
            return await answer
        except asyncio.CancelledError:
            connection.give_up("nobody waits any more")
            raise

    def answered(self, connection: Connection, *, keep: bool) -> None:
        self._busy.discard(connection)
        if keep and connection.usable:
            connection.deadline = asyncio.get_running_loop().time() + IDLE_SECONDS
            self._idle.append(connection)
        else:
            connection.give_up("it is not kept")

    def lost(self, connection: Connection) -> None:
        self._busy.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    async def close(self) -> None:
        """Whoever still waits for an answer gets none."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        for connection in (*self._busy, *self._idle):
            connection.give_up("it is closed")
        await asyncio.sleep(0)  # what is aborted is closed by the event loop's next turn

    def _unused(self) -> Connection | None:
        """The one that was used last: the others may be left alone until they are closed."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connected(self, deadline: float) -> Connection:
        loop = asyncio.get_running_loop()
        if self._looking is None:
            self._looking = loop.call_later(_LOOK_EVERY, self._look)
        tls = _trust() if self._over_tls else None
        try:
            async with asyncio.timeout_at(deadline):
                _, connection = await loop.create_connection(
                    lambda: Connection(self), self._hostname, self._port, ssl=tls
                )
        except (OSError, TimeoutError) as error:
            raise NoAnswerError(f"no connection: {error or 'not in time'}") from error
        return connection

    def _look(self) -> None:
        """Give up what takes too long, and close what is unused: one timer for all instead of one for each request."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in [each for each in (*self._busy, *self._idle) if each.deadline <= now]:
            connection.give_up("no answer in time")
        busy = self._busy or self._idle
        self._looking = loop.call_later(_LOOK_EVERY, self._look) if busy else None


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()
