"""HTTP/1.1 messages as the bytes they came in: only what is needed to find their ends is understood.

A client or server library would rewrite headers, escapes or chunks on the way. What a test sees behind the proxy
is to be what it would see without.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

MOST_HEAD_BYTES = 1 << 20
_BATCHED_REQUEST = re.compile(rb"^([A-Z]+) (\S+) HTTP/1\.1\r?$", re.MULTILINE)


class MalformedMessageError(Exception):
    """What came is not HTTP/1.1 as storage clients and Azurite speak it."""


@dataclass(frozen=True)
class _Head:
    raw: bytes
    first_line: str
    headers: Mapping[str, str]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        first_line, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        fields = (line.partition(":") for line in lines)
        head = cls(raw, first_line, {name.lower(): value.strip() for name, _, value in fields})
        if len(first_line.split(" ", 2)) < 3 or "HTTP/1." not in first_line:
            raise MalformedMessageError(f"{first_line[:80]!r} begins no HTTP/1.1 message")
        return head

    @property
    def length(self) -> int | None:
        """Of the body; None when the head does not tell."""
        value = self.headers.get("content-length")
        if value is not None and not value.isdecimal():
            raise MalformedMessageError(f"Content-Length is {value[:80]!r}, and must be a number")
        return None if value is None else int(value)

    @property
    def chunked(self) -> bool:
        return self.headers.get("transfer-encoding", "").lower() == "chunked"


@dataclass(frozen=True)
class Message:
    """A request or a response, whole."""

    head: _Head
    body: bytes

    @property
    def raw(self) -> bytes:
        return self.head.raw + self.body

    @property
    def is_last(self) -> bool:
        """Whether the connection closes after it."""
        return self.head.headers.get("connection", "").lower() == "close"


class Request(Message):
    @property
    def method(self) -> str:
        return self.head.first_line.split(" ", 1)[0]

    @property
    def path(self) -> str:
        """Decoded, without the query."""
        return _path(self.head.first_line.split(" ")[1])

    @property
    def batched(self) -> list[tuple[str, str]]:
        """Method and path of each request in a batch of entities; none if it is no batch."""
        if not self.path.endswith("/$batch"):
            return []
        found = _BATCHED_REQUEST.findall(self.body)
        return [(method.decode("latin-1"), _path(target.decode("latin-1"))) for method, target in found]

    @property
    def paths(self) -> list[str]:
        """The path; of a batch those of the requests in it, too."""
        return [self.path, *(path for _, path in self.batched)]


def _path(target: str) -> str:
    return unquote(urlsplit(target).path)


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next one; None when the client has closed the connection after the last."""
    try:
        head = await _read_head(reader)
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise
    return Request(head, await _read_body(reader, head))


async def read_response(reader: asyncio.StreamReader, method: str) -> Message:
    """The answer to a request of that method. Interim answers are dropped: the request was sent whole."""
    while (status := (head := await _read_head(reader)).first_line.split(" ")[1]).startswith("1"):
        continue
    if method == "HEAD" or status in ("204", "304"):
        return Message(head, b"")
    if head.length is None and not head.chunked:
        raise MalformedMessageError(f"the answer {head.first_line[:80]!r} does not tell the length of its body")
    return Message(head, await _read_body(reader, head))


async def _read_head(reader: asyncio.StreamReader) -> _Head:
    try:
        return _Head.parse(await reader.readuntil(b"\r\n\r\n"))
    except asyncio.LimitOverrunError as error:
        raise MalformedMessageError(f"no end of the headers within {MOST_HEAD_BYTES} bytes") from error


async def _read_body(reader: asyncio.StreamReader, head: _Head) -> bytes:
    if head.chunked:
        return await _read_chunks(reader)
    return await reader.readexactly(head.length or 0)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    last = False
    while not last:
        line = await reader.readuntil(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError as error:
            raise MalformedMessageError(f"{line[:80]!r} is no size of a chunk") from error
        last = size == 0
        body += line
        if not last:
            body += await reader.readexactly(size + len(b"\r\n"))
    while (trailer := await reader.readuntil(b"\r\n")) != b"\r\n":
        body += trailer
    return bytes(body + trailer)
