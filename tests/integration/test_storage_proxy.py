"""The fault proxy itself: the bytes on the way, its control port and its process."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp.test_utils import TestClient, TestServer

from local.eventually import eventually
from local.storage_faults.control import StorageFaults, StorageFaultsError
from local.storage_faults.control_port import control_app
from local.storage_faults.counts import RequestCounts
from local.storage_faults.proxy import StorageProxy
from local.storage_faults.rules import ArmedFaults, StorageFault

PATIENCE = 15.0
GET = b"GET / HTTP/1.1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


# The bytes on the way

EXCHANGES = [
    (
        b"GET /a%2fb%20c('%27',x=%c3%a4)?$filter=x%20eq%20'%2B'&q=+ HTTP/1.1\r\n"
        b"hOST: x\r\nX-Odd:  a \r\nX-Odd: \xe4\r\n\r\n",
        b'HTTP/1.1 404 Very odd: reason\r\netag: W/"x\'%3A"\r\nContent-Encoding: gzip\r\ncontent-length: 4\r\n\r\n'
        b"\x1f\x8b\0\r",
    ),
    (
        b"PUT / HTTP/1.1\r\nContent-Length: 6\r\n\r\n\r\n\r\n\0\xff",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n0a;x=y\r\n0123456\r\n9\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: chunked\r\n\r\nA\r\n0123456789\r\n1\r\n0\r\n0\r\n\r\n",
    ),
    (b"HEAD / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"),
    (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"),
]


@asynccontextmanager
async def proxying(serve: Serve) -> AsyncIterator[tuple[str, int]]:
    """The address of a table proxy in this process, before a service that handles its connections by `serve`."""

    async def serve_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    service = await asyncio.start_server(serve_and_close, "127.0.0.1", 0)
    proxy = await StorageProxy("table", service.sockets[0].getsockname(), ArmedFaults(), RequestCounts()).listen(
        "127.0.0.1", 0
    )
    others = asyncio.all_tasks()
    async with asyncio.timeout(PATIENCE):
        yield proxy.sockets[0].getsockname()
        proxy.close()
        service.close()
        await asyncio.gather(*(asyncio.all_tasks() - others))


async def test_not_a_byte_is_changed() -> None:
    received = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for request, answer in EXCHANGES:
            received.append(await reader.readexactly(len(request)))
            writer.write(answer)

    async with proxying(serve) as address:
        reader, writer = await asyncio.open_connection(*address)
        for request, answer in EXCHANGES:
            writer.write(request)
            assert await reader.readexactly(len(answer)) == answer
        assert await reader.read() == b""
        writer.close()
    assert received == [request for request, _ in EXCHANGES]


async def ask(address: tuple[str, int], request: bytes) -> bytes:
    """What comes back first, on a connection of its own."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    answer = await reader.read(1 << 16)
    writer.close()
    return answer


async def test_interim_answers_are_dropped() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"body")
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)

    async with proxying(serve) as address:
        assert await ask(address, b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody") == OK


async def test_a_connection_the_service_closed_while_idle_is_no_failure() -> None:
    closed = asyncio.Semaphore(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(GET))
        writer.write(OK)
        writer.close()
        await writer.wait_closed()
        closed.release()

    async with proxying(serve) as address:
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(3):
            writer.write(GET)
            assert await reader.readexactly(len(OK)) == OK
            await closed.acquire()
            # By the time another client has its answer, the proxy has seen the end of this one's connection.
            assert await ask(address, GET) == OK
            await closed.acquire()
        writer.close()


async def test_a_service_that_goes_away_closes_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(GET))
        writer.write(OK[:-3])

    async with proxying(serve) as address:
        assert await ask(address, GET) == b""
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("request_bytes", "answer", "complaint"),
    [
        (b"\x16\x03\x01\r\n\r\n", b"", "begins no HTTP/1.1 message"),
        (b"PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"", "Content-Length is '-1'"),
        (b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", b"", "is no size of a chunk"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n", b"", "no end of the headers within 1048576"),
        (GET, b"HTTP/1.1 200 OK\r\n\r\n", "does not tell the length"),
    ],
    ids=["start", "length", "chunk", "headers", "answer"],
)
async def test_what_is_no_http_is_logged(
    caplog: pytest.LogCaptureFixture, request_bytes: bytes, answer: bytes, complaint: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)

    async with proxying(serve) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(request_bytes)
        writer.write_eof()
        # Closing with bytes unread is a reset.
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
    (message,) = caplog.messages
    assert complaint in message


# The control port


@pytest.mark.parametrize(
    ("body", "advice"),
    [
        (b"nonsense", "the body: Invalid JSON"),
        (b"{}", "send a JSON list"),
        (b'[{"kind": "cut"}, {"kind": "nonsense"}]', "1.kind: Input should be 'delay', "),
        (b'[{"kind": "cut", "hub": "crm"}]', "0.hub: Extra inputs"),
        (b'[{"kind": "cut", "count": 0}]', "0.count: .*greater than or equal to 1"),
        (b'[{"kind": "cut", "probability": 1.1}]', "0.probability: .*less than or equal to 1"),
        (b'[{"kind": "cut", "method": "get"}]', "0.method: "),
        (b'[{"kind": "status", "status": 404}]', "0.status: Input should be 403, "),
        (b'[{"kind": "cut", "status": 503}]', '"status" is for the kinds'),
        (b'[{"kind": "delay"}]', '"delay" needs "delayMs"'),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)
async def test_a_fault_that_makes_no_sense_is_refused(body: bytes, advice: str) -> None:
    kept = StorageFault(kind="status", service="queue", count=3, after=2, probability=0.5, seed=1, status=500)
    armed = ArmedFaults()
    armed.replace([kept])
    async with TestClient(TestServer(control_app(armed, RequestCounts()))) as client:
        refused = await client.put("/faults", data=body)
        assert refused.status == 400
        assert re.search(advice, await refused.text())
    assert armed.rules() == [kept]


def test_an_unreachable_control_port_says_so() -> None:
    with pytest.raises(StorageFaultsError, match=r"does not answer on 127\.0\.0\.1:1 "):
        StorageFaults(1, timeout=1).faults()


# The process

COMMAND = [sys.executable, "-m", "local.storage_faults"]
TARGETS = [part for service in ("blob", "queue", "table") for part in (f"--{service}-target", "127.0.0.1:1")]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT], ids=lambda value: value.name)
async def test_it_stops_at_once_with_clients_connected(stop: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(*COMMAND, *TARGETS, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    assert set(ready) == {"event", "blobPort", "queuePort", "tablePort", "controlPort"}
    control = StorageFaults(ready["controlPort"])
    control.set_faults(
        StorageFault(kind="stall", path="/stalled"), StorageFault(kind="delay", path="/delayed", delay_ms=60_000)
    )
    clients = [await asyncio.open_connection("127.0.0.1", ready["tablePort"]) for _ in range(3)]
    for path, (_, writer) in zip(("stalled", "delayed"), clients, strict=False):
        writer.write(f"GET /{path} HTTP/1.1\r\n\r\n".encode())
    await eventually(lambda: [rule.fired for rule in control.faults()] == [1, 1])
    process.send_signal(stop)
    async with asyncio.timeout(PATIENCE / 3):
        assert await process.communicate() == (b"", b"")
    assert process.returncode == 0
    for reader, writer in clients:
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ([], "required: --blob-target, --queue-target, --table-target"),
        ([*TARGETS, "--table-target", "10002"], "'10002' must look like 127.0.0.1:10002"),
        ([*TARGETS, "--queue-port", "70000"], "cannot listen on 127.0.0.1: .*0-65535.* leave the port out"),
    ],
    ids=["none", "target", "port"],
)
def test_a_wrong_option_is_explained(options: list[str], advice: str) -> None:
    ended = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.search(advice, ended.stderr)


def test_a_taken_port_is_explained() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        options = [*TARGETS, "--control-port", port]
        ended = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert port in ended.stderr
    assert "address already in use" in ended.stderr
