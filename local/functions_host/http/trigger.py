"""HTTP triggers and the host's own pages."""

import hmac
import logging
import os
import re
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import azure.functions as func
from aiohttp import web

from ..errors import HostStartError
from ..indexing import IndexedFunction
from ..invocation import Invoker
from .answers import Answer, UnusableAnswerError, answer_of
from .paths import decoded_path, encoded_path, joined_values, query_parameters
from .refusals import refused_with
from .routes import Route, routes_of

_log = logging.getLogger(__name__)

KEY_SETTING = "LOCAL_FUNCTION_KEY"
STATUS_PATH = "/admin/host/status"
_LARGEST_BODY = 100 * 1024 * 1024  # the host's FUNCTIONS_REQUEST_BODY_SIZE_LIMIT
# So much aiohttp reads before it gives up, to leave what is too long to the host's own limits.
_LONGEST_READ = 1024 * 1024
_ORIGIN = re.compile("^[a-z]+://[^/]*")
_WITHOUT_BODY = (204, 304)
_HTTP_1_1 = (1, 1)
# Where the host and the versions of Python word them differently.
_REASONS = {
    413: "Payload Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    418: "I'm a teapot",
    422: "Unprocessable Entity",
    499: "Client Closed Request",
}
_RESET_CONTENT = 205
_HOME_PAGE = (
    b"<!DOCTYPE html>\n<html>\n<head><title>Your Azure Function App is up and running.</title></head>\n"
    b"<body>Azure shows a page of its own here, unless a function has the route /.</body>\n</html>\n"
)


class HttpListener:
    """Serves the routes of the app on 127.0.0.1."""

    def __init__(self, functions: list[IndexedFunction], invoker: Invoker, route_prefix: str) -> None:
        self._invoker = invoker
        self._routes = routes_of(functions, route_prefix)
        self._key = os.environ.get(KEY_SETTING)
        self._runner: web.AppRunner | None = None

    async def start(self, port: int, shutdown_timeout: float) -> int:
        """Listen, and return the port: the operating system chooses one for 0."""
        keyed = [route.function.name for route in self._routes if _needs_key(route.function)]
        if keyed and not self._key:
            _log.warning("%s has no value: these functions are open without a key: %s", KEY_SETTING, ", ".join(keyed))
        application = web.Application()
        application.router.add_get(STATUS_PATH, self._status)
        application.router.add_route("*", r"/{path:[\s\S]*}", self._handle)
        self._runner = web.AppRunner(
            application,
            access_log=None,
            shutdown_timeout=shutdown_timeout,
            max_line_size=_LONGEST_READ,
            max_field_size=_LONGEST_READ,
            auto_decompress=False,
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", port).start()
        except OSError as error:
            raise HostStartError(
                f"port {port}: cannot be listened on ({error}). Choose one with --http-port."
            ) from error
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Accept nothing more, and wait for the requests that are being handled."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _status(self, _request: web.Request) -> web.Response:
        counts = {name: asdict(count) for name, count in self._invoker.counts.items()}
        return web.json_response({"state": "Running", "functions": counts})

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        refusal = refused_with(request)
        if refusal is not None:
            return await _sent(request, Answer(refusal), close=True)
        target, _, query = request.raw_path.partition("?")
        path = decoded_path(_ORIGIN.sub("", target))
        for route in self._routes:
            parameters = route.match(request.method, path)
            if parameters is not None:
                return await self._invoke(route, request, path, query, dict(parameters))
        if path == "/":
            return await _sent(request, Answer(200, (("Content-Type", "text/html"),), _HOME_PAGE))
        return await _sent(request, Answer(404))

    async def _invoke(
        self, route: Route, request: web.Request, path: str, query: str, parameters: dict[str, str]
    ) -> web.StreamResponse:
        headers = _headers_of(request)
        params = query_parameters(query)
        if not headers.get("host"):
            return await _sent(request, Answer(500))
        if _needs_key(route.function) and not self._has_key(request, params):
            return await _sent(request, Answer(401))
        if (request.content_length or 0) > _LARGEST_BODY:
            return await _sent(request, Answer(500), close=True)
        function_request = func.HttpRequest(
            request.method,
            f"{request.scheme}://{headers['host']}{encoded_path(path)}{_query_of(request.raw_path)}",
            headers=headers,
            params=params,
            route_params=parameters,
            # The real host hands over no body whose length it is not told.
            body=b"" if request.content_length is None else await request.content.read(),
        )
        result = await self._invoker.invoke(route.function, function_request)
        try:
            return await _sent(request, _answer(route.function, result.outputs) if result.succeeded else Answer(500))
        except UnusableAnswerError as error:
            _log.error("Function %s: %s", route.function.name, error)
            return await _sent(request, Answer(500))

    def _has_key(self, request: web.Request, params: dict[str, str]) -> bool:
        """The first header counts, even if it is empty, then the first code; case makes no other key."""
        if not self._key:
            return True
        code = next((value for name, value in params.items() if name.lower() == "code"), "")
        given = request.headers.get("x-functions-key", code.partition(",")[0])
        return hmac.compare_digest(given.lower().encode("utf-8", "replace"), self._key.lower().encode())


def _needs_key(function: IndexedFunction) -> bool:
    return str(function.trigger.get("authLevel")).lower() in ("function", "admin")


def _headers_of(request: web.Request) -> dict[str, str]:
    """Each name once, in lower case, with its values joined."""
    values: dict[str, list[str]] = {}
    for name, value in request.raw_headers:
        values.setdefault(name.decode("latin-1").lower(), []).append(value.decode())
    return {name: joined_values(each) for name, each in values.items()}


def _query_of(target: str) -> str:
    _, mark, query = target.partition("?")
    return mark + query.replace("#", "%23")


def _answer(function: IndexedFunction, outputs: Any) -> Answer:
    name = next((binding["name"] for binding in function.outputs if binding["type"] == "http"), "$return")
    return answer_of(outputs.get(name))


async def _sent(request: web.Request, answer: Answer, *, close: bool = False) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, reason=_REASONS.get(answer.status))
    for name, value in answer.headers:
        response.headers.add(name, value)
    if close or request.version < _HTTP_1_1:
        response.headers["Connection"] = "close"
        response.force_close()
    if request.method == "HEAD" or answer.status in _WITHOUT_BODY:
        return response
    body = b"" if answer.status == _RESET_CONTENT else answer.body
    if not body:
        response.content_length = 0
    elif "Content-Length" not in response.headers and request.version >= _HTTP_1_1:
        response.enable_chunked_encoding()
    # A client that has gone away is nothing to tell: aiohttp closes the connection.
    with suppress(ConnectionError):
        await response.prepare(request)
        await response.write(body)
    return response
