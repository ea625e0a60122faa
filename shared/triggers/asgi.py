"""An HTTP trigger's request as ASGI, and the answer of an ASGI application as the trigger's.

The library's own middleware cuts a path at `;`, and decodes once more what the host has decoded.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import quote, unquote, urlsplit

import azure.functions as func

from shared.domain.url_paths import undecoded

logger = logging.getLogger(__name__)
Message: TypeAlias = MutableMapping[str, Any]
Application: TypeAlias = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

ROUTE_PARAMETER = "path"
"""What the routes of such triggers call the part behind their prefix: `api/{*path}`."""


async def answer(application: Application, request: func.HttpRequest, prefix: str) -> func.HttpResponse:
    """What `application` answers; `prefix` is that of the trigger's route. Raises what it raises without an answer."""
    bodies = [request.get_body()]
    status, headers, content = 0, list[tuple[bytes, bytes]](), list[bytes]()
    answered = asyncio.Event()

    async def receive() -> Message:
        if bodies:
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            content.append(message.get("body", b""))
            if not message.get("more_body", False):
                answered.set()

    try:
        await application(scope_of(request, prefix), receive, send)
    except Exception:
        if not answered.is_set():
            raise
        logger.exception("%s /%s/… failed", request.method, prefix)
    response = func.HttpResponse(b"".join(content), status_code=status, mimetype="application/octet-stream")
    for name, value in headers:
        response.headers.add(name.decode("latin-1"), value.decode("latin-1"))
    return response


def scope_of(request: func.HttpRequest, prefix: str) -> Message:
    """The ASGI scope of `request`. Its `raw_path` has as it came what the host has not decoded."""
    url = urlsplit(request.url)
    path, raw_path = unquote(url.path), url.path
    if (rest := request.route_params.get(ROUTE_PARAMETER)) is not None:  # the URL tells less: `%20` may be text there
        path = f"/{prefix}/{rest}"
        raw_path = _raw(path)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": url.scheme,
        "path": path,
        "raw_path": raw_path.encode(),
        "query_string": request.url.partition("?")[2].encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in request.headers.items()],
        "server": None,
        "client": None,
    }


def _raw(path: str) -> str:
    """`path` percent-encoded again, but for what the host has left."""
    raw, end = "", 0
    for left in undecoded(path):
        raw += quote(path[end : left.start()]) + left[0]
        end = left.end()
    return raw + quote(path[end:])
