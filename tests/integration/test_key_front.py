"""What the key's front makes of a request: the same, with the key."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from local.stack.key_front import KeyFront

ANSWER = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\nX-Odd:  two  spaces\r\n\r\nok"


class Target:
    """Takes connections, answers each once all of a request is there, and closes it."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.end = b""
        self.got: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self.listening.accept()
            with connection:
                got = b""
                while not got.endswith(self.end):
                    got += connection.recv(65536)
                self.got.append(got)
                connection.sendall(ANSWER)


@pytest.fixture
def target() -> Target:
    return Target()


@pytest.fixture
def front(target: Target) -> Iterator[KeyFront]:
    with ExitStack() as closing:
        closing.callback(target.listening.close)
        yield closing.enter_context(KeyFront(0, target.port, "the key"))


def ask(front: KeyFront, *pieces: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", front.port), timeout=10) as client:
        for piece in pieces:
            client.sendall(piece)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize(
    ("head", "body", "end"),
    [
        (b"GET /api/a%2Fb//c;d?x=%20&x=2 HTTP/1.1\r\nHost: h:1\r\nX-Case: \xc3\xbc", b"", b"\r\n\r\n"),
        (b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000", b"b" * 99_999 + b"!", b"!"),
        (b"PUT /x HTTP/1.1\r\nHost: h\r\ntransfer-encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n", b"0\r\n\r\n"),
    ],
    ids=["path", "body", "chunks"],
)
def test_it_adds_the_key_and_changes_nothing_else(
    front: KeyFront, target: Target, head: bytes, body: bytes, end: bytes
) -> None:
    target.end = end
    assert ask(front, head[:20], head[20:] + b"\r\nConnection: keep-alive\r\n\r\n", body) == ANSWER
    added = b"\r\nx-functions-key: the key\r\nConnection: close\r\n\r\n"
    assert target.got == [head + added + body]


def test_a_caller_may_send_any_key(front: KeyFront, target: Target) -> None:
    target.end = b"\r\n\r\n"
    ask(front, b"GET / HTTP/1.1\r\nHost: h\r\nX-Functions-Key: own\r\n\r\n")
    assert target.got == [b"GET / HTTP/1.1\r\nHost: h\r\nx-functions-key: the key\r\nConnection: close\r\n\r\n"]


def test_callers_who_say_nothing_and_hosts_that_are_gone_harm_nobody(front: KeyFront, target: Target) -> None:
    with socket.create_connection(("127.0.0.1", front.port)):
        pass
    target.end = b"\r\n\r\n"
    assert ask(front, b"GET / HTTP/1.1\r\n\r\n") == ANSWER
    with KeyFront(0, 9, "the key") as nobody_behind:
        assert ask(nobody_behind, b"GET / HTTP/1.1\r\n\r\n") == b""
