"""Lets callers do without the key that a host asks for, or with any: a browser sends none with a page's links.

It puts the host's key into each request, and changes nothing else of that, and nothing of an answer.
"""

import re
import socket
import socketserver
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from local.ports import HOST

_LONGEST_HEAD = 64 * 1024
_PIECE = 64 * 1024
_REPLACED = re.compile(rb"\r\n(?:x-functions-key|connection|keep-alive):[^\r\n]*", re.IGNORECASE)


class KeyFront:
    """Listens at `port` (0 lets the system choose) for the host at `target_port`, until it is closed."""

    def __init__(self, port: int, target_port: int, key: str) -> None:
        self._server = _Server((HOST, port), _Relayed)
        self._server.target = (HOST, target_port)
        self._server.added = f"\r\nx-functions-key: {key}\r\nConnection: close".encode()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    target: tuple[str, int]
    added: bytes


class _Relayed(socketserver.BaseRequestHandler):
    """One request: the host is asked to close the connection after it, so that no bodies need to be told apart."""

    server: _Server
    request: socket.socket

    def handle(self) -> None:
        with suppress(OSError):
            head, rest = self._head()
            if not head:
                return
            with socket.create_connection(self.server.target) as host:
                host.sendall(_REPLACED.sub(b"", head) + self.server.added + rest)
                sending = threading.Thread(target=_copy, args=(self.request, host), daemon=True)
                sending.start()
                _copy(host, self.request)
                sending.join()

    def _head(self) -> tuple[bytes, bytes]:
        """All before the empty line, and what came after it; as much as a host would read, where none comes."""
        got = b""
        while b"\r\n\r\n" not in got and len(got) < _LONGEST_HEAD:
            piece = self.request.recv(_PIECE)
            if not piece:
                break
            got += piece
        head, end, rest = got.partition(b"\r\n\r\n")
        return head, end + rest


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Until the source ends; then the other direction ends, too."""
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
