"""A table of HTTP requests with the answers of the real Functions host, and how they are asked.

`python -m tests.real_host.record_http_requests` writes the answers anew.
"""

import json
import re
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.stack.functions_host import HostKind
from local.stack.local_stack import LocalStack
from local.stack.real_host import KEY_SETTING
from tests.kit import echo_app

TABLE = Path(__file__).parents[1] / "fixtures" / "http-requests" / "requests.json"
_HOST_JSON: Mapping[str, Any] = {
    "version": "2.0",
    "extensions": {"http": {"routePrefix": ""}},
    "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
}
_FUNCTION_KEY = "thekey"
_TIMEOUT_SECONDS = 20.0
_LONGEST_BODY = 2_000
# Which server it was, and when. Nor is the order of the headers, which means nothing.
_NOT_COMPARED = ("date", "server")
_REPEATED = re.compile(r"\{(.)\*(\d+)\}")


def read_table() -> list[dict[str, Any]]:
    """The entries, as they are in the file."""
    entries: list[dict[str, Any]] = json.loads(TABLE.read_text(encoding="utf-8"))
    return entries


def write_table(entries: Sequence[Mapping[str, Any]]) -> None:
    """One line for each."""
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    TABLE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


@contextmanager
def echoing(kind: HostKind, folder: Path) -> Iterator[int]:
    """The port of a host of that kind with the app that the table is about."""
    app = folder / "app"
    app.mkdir()
    shutil.copy(echo_app.__file__, app / "function_app.py")
    (app / "host.json").write_text(json.dumps(_HOST_JSON))
    with LocalStack(folder / "stack", hubs={}) as stack:
        yield stack.start_functions_host(kind=kind, app_dir=app, settings={KEY_SETTING: _FUNCTION_KEY}).http_port


def bytes_of(entry: Mapping[str, Any]) -> bytes:
    """The request on the wire: `raw`, or `line`, `headers` and `body`; `{x*9}` stands for nine times x."""
    if "raw" in entry:
        return _expanded(entry["raw"])
    body = _expanded(entry.get("body", ""))
    headers = [["Host", "relay.example"], *entry.get("headers", [])]
    if body and not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers):
        headers.append(["Content-Length", str(len(body))])
    lines = [f"{entry['line']} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return _expanded("\r\n".join([*lines, "", ""])) + body


def ask(port: int, request: bytes) -> dict[str, Any]:
    """Status, reason, headers by name as it was written, and body: parsed where it is JSON, its length where it is
    long.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_SECONDS) as connection:
        connection.sendall(request)
        received = b""
        while not _is_whole(received, without_body=request.startswith(b"HEAD")):
            piece = connection.recv(65_536)
            if not piece:
                break
            received += piece
    return _told(received)


def _expanded(text: str) -> bytes:
    return _REPEATED.sub(lambda found: found[1] * int(found[2]), text).encode("latin-1")


def _parts(received: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return first.split(" ", 1)[1], headers, body


def _is_whole(received: bytes, *, without_body: bool) -> bool:
    if b"\r\n\r\n" not in received:
        return False
    status, pairs, body = _parts(received)
    headers = {name.lower(): value for name, value in pairs}
    if without_body or status.startswith(("204", "304")):
        return True
    if headers.get("transfer-encoding") == "chunked":
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(headers.get("content-length", sys.maxsize))


def _told(received: bytes) -> dict[str, Any]:
    status, pairs, body = _parts(received)
    headers: dict[str, Any] = {}
    for name, value in pairs:
        if name.lower() not in _NOT_COMPARED:
            headers.setdefault(name, []).append(value)
    lower = {name.lower(): values[0] for name, values in headers.items()}
    if lower.get("transfer-encoding") == "chunked":
        body = _unchunked(body)
    code, _, reason = status.partition(" ")
    return {
        "status": int(code),
        "reason": reason,
        "headers": {name: values[0] if len(values) == 1 else values for name, values in sorted(headers.items())},
        "body": _readable(body, lower.get("content-type", "")),
    }


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        whole += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    return whole


def _readable(body: bytes, content_type: str) -> Any:
    if len(body) > _LONGEST_BODY:
        return {"length": len(body)}
    return json.loads(body) if body and content_type == "application/json" else body.decode("latin-1")
