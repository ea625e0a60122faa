"""What no route should have to think of: HEAD, and a path or a query that cannot be read for certain."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi import Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.web.problems import ProblemError

_SLASH = (
    "the path has %2F in it: the platform does not tell a slash within an id from the text %2F, so nothing is done. "
    "PUT /api/config takes ids that no path can name"
)
_NO_UTF8 = "the percent-encoding of the {part} is not UTF-8: encode the bytes of its UTF-8"


class RequestLine:
    """Answers HEAD as GET, without a body, and refuses (400) what another request might mean, too."""

    def __init__(self, app: ASGIApp, answer: Callable[[Request, Exception], Coroutine[Any, Any, Response]]) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        if (why := _unreadable(scope)) is None:
            await self._app(scope, receive, send)
        else:
            response = await self._answer(Request(scope, receive), ProblemError(400, why))
            await response(scope, receive, send)


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head


def _unreadable(scope: Scope) -> str | None:
    raw_path, query = scope.get("raw_path", b""), scope.get("query_string", b"")
    if b"%2F" in raw_path.upper():
        return _SLASH
    for part, raw in (("path", raw_path), ("query", query)):
        try:
            unquote_to_bytes(raw).decode()
        except UnicodeDecodeError:
            return _NO_UTF8.format(part=part)
    return None
