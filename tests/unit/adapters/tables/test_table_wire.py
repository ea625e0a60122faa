"""The first attempt of table requests, on the wire itself: whatever is no plain answer leaves the other way open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from local.eventually import eventually
from shared.adapters.tables.service.wire import Connection, NoAnswerError, Wire

REQUEST = b"GET /a/T() HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b'HTTP/1.1 200 OK\r\nETag: W/"1"\r\nContent-Length: 5\r\n\r\nhello'
Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Counts its connections; each is answered by `answering`."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.connections = 0
        self.closed = asyncio.Event()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._answering(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.closed.set()


@asynccontextmanager
async def wire_to(answering: Answering) -> AsyncIterator[tuple[Wire, Server]]:
    server = Server(answering)
    listening = await asyncio.start_server(server.accept, "127.0.0.1", 0)
    wire = Wire(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    try:
        yield wire, server
    finally:
        await wire.close()
        listening.close()
        await listening.wait_closed()


def soon() -> float:
    """A deadline that nothing here is to meet."""
    return asyncio.get_running_loop().time() + 60


async def request(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def saying(answer: bytes) -> Answering:
    """The same to every request."""

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            writer.write(answer)

    return answering


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with wire_to(saying(OK)) as (wire, server):
        for _ in range(3):
            answer = await wire.ask(REQUEST, soon())
            assert (answer.status, answer.etag, answer.error_code, answer.body) == (200, 'W/"1"', None, b"hello")
    assert server.connections == 1


async def test_requests_at_once_have_connections_of_their_own() -> None:
    async with wire_to(saying(OK)) as (wire, server):
        answers = await asyncio.gather(*(wire.ask(REQUEST, soon()) for _ in range(5)))
        assert {answer.body for answer in answers} == {b"hello"}
        assert server.connections == 5
        await asyncio.gather(*(wire.ask(REQUEST, soon()) for _ in range(5)))
    assert server.connections == 5


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 204 No Content\r\neTaG: e\r\n\r\n", (204, "e", None, b"")),
        (
            b"HTTP/1.1 412 X\r\nx-ms-error-code: UpdateConditionNotSatisfied\r\nContent-Length: 2\r\n\r\n{}",
            (412, "", "UpdateConditionNotSatisfied", b"{}"),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            (200, "", None, b"abcde"),
        ),
    ],
    ids=["no content", "an error", "in chunks"],
)
async def test_an_answer_is_understood_however_it_is_cut(answer: bytes, expected: object) -> None:
    async def in_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for size in (1, 7, len(answer)):
            await request(reader)
            for start in range(0, len(answer), size):
                writer.write(answer[start : start + size])
                await writer.drain()
                await asyncio.sleep(0)

    async with wire_to(in_pieces) as (wire, server):
        for _ in range(3):
            assert await wire.ask(REQUEST, soon()) == expected
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        OK[:-1],
        b"HTTP/1.1 200 OK\r\nETag",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["none", "half a body", "half a head", "without a length", "TLS", "SSH", "bad chunks"],
)
async def test_what_is_no_whole_answer_is_none(answer: bytes) -> None:
    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(answer)

    async with wire_to(answering) as (wire, server):
        for _ in range(2):
            with pytest.raises(NoAnswerError):
                await wire.ask(REQUEST, soon())
    assert server.connections == 2


async def test_a_half_closed_connection_is_not_used_again() -> None:
    """The service answers and says that it says no more, before or after the next request starts."""

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        writer.write_eof()
        await reader.read()

    async with wire_to(answering) as (wire, server):
        answers = 0
        for _ in range(4):
            try:
                answers += (await wire.ask(REQUEST, soon())).status == 200
            except NoAnswerError:
                continue
        assert answers >= 2
        assert server.connections == answers


async def test_a_connection_that_is_to_be_closed_is_not_kept() -> None:
    async with wire_to(saying(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))) as (wire, server):
        for _ in range(2):
            assert (await wire.ask(REQUEST, soon())).status == 200
    assert server.connections == 2


async def test_an_idle_connection_that_the_service_closes_is_forgotten() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)

    async with wire_to(once) as (wire, server):
        await wire.ask(REQUEST, soon())
        await server.closed.wait()
        await eventually(lambda: not wire._idle)
        assert (await wire.ask(REQUEST, soon())).status == 200
    assert server.connections == 2


@pytest.mark.parametrize("answer", [b"", OK[:20]], ids=["before it begins", "in the middle"])
async def test_a_stall_ends_at_the_deadline(answer: bytes) -> None:
    stalled = asyncio.Event()

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        await request(reader)
        writer.write(answer)
        stalled.set()
        await reader.read()

    async with wire_to(answering) as (wire, _):
        await wire.ask(REQUEST, soon())
        asking = asyncio.ensure_future(wire.ask(REQUEST, asyncio.get_running_loop().time()))
        await stalled.wait()
        wire._look()
        with pytest.raises(NoAnswerError, match="no answer in time"):
            await asking


async def test_whoever_does_not_wait_any_more_leaves_no_answer_for_others() -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            arrived.set()
            await go_on.wait()
            writer.write(OK)

    async with wire_to(answering) as (wire, server):
        asking = asyncio.ensure_future(wire.ask(REQUEST, soon()))
        await arrived.wait()
        asking.cancel()
        await asyncio.wait({asking})
        go_on.set()
        assert (await wire.ask(REQUEST, soon())).body == b"hello"
    assert server.connections == 2


async def test_two_answers_to_one_request_are_one_too_many() -> None:
    async with wire_to(saying(OK + OK.replace(b"hello", b"other"))) as (wire, server):
        for _ in range(3):
            try:
                assert (await wire.ask(REQUEST, soon())).body == b"hello"
            except NoAnswerError:
                continue
    assert server.connections > 1


async def test_nobody_listening_is_no_answer() -> None:
    with pytest.raises(NoAnswerError, match="no connection"):
        await Wire("http://127.0.0.1:1").ask(REQUEST, soon())


async def test_a_connection_that_is_closed_at_once_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with wire_to(saying(OK)) as (wire, _):
        connected = wire._connected

        async def closed(deadline: float) -> Connection:
            connection = await connected(deadline)
            connection.give_up("as if the service had closed it")
            return connection

        monkeypatch.setattr(wire, "_connected", closed)
        with pytest.raises(NoAnswerError, match="at once"):
            await wire.ask(REQUEST, soon())
