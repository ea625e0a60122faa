"""HTTP triggers and the host's own status page."""

import hmac
import logging
import os
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import azure.functions as func
from aiohttp import web
from multidict import CIMultiDict, MultiMapping

from .errors import HostStartError
from .indexing import IndexedFunction
from .invocation import InvocationResult, Invoker
from .routes import Route, routes_of

_log = logging.getLogger(__name__)

KEY_SETTING = "LOCAL_FUNCTION_KEY"
STATUS_PATH = "/admin/host/status"
_LARGEST_BODY = 100 * 1024 * 1024  # the host's FUNCTIONS_REQUEST_BODY_SIZE_LIMIT

_LONGEST_LINE = 32 * 1024


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
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.router.add_get(STATUS_PATH, self._status)
        application.router.add_route("*", r"/{path:[\s\S]*}", self._handle)
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=shutdown_timeout, max_line_size=_LONGEST_LINE
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

    async def _handle(self, request: web.Request) -> web.Response:
        path = request.raw_path.partition("?")[0]
        for route in self._routes:
            parameters = route.match(request.method, path)
            if parameters is not None:
                return await self._invoke(route, request, dict(parameters))
        return web.Response(status=404)

    async def _invoke(self, route: Route, request: web.Request, parameters: dict[str, str]) -> web.Response:
        if _needs_key(route.function) and not self._has_key(request):
            return web.Response(status=401)
        function_request = func.HttpRequest(
            request.method,
            f"{request.scheme}://{request.host}{request.raw_path}",
            headers=_joined(request.headers),
            params=_joined(request.query),
            route_params=parameters,
            body=await request.read(),
        )
        return _response(route.function, await self._invoker.invoke(route.function, function_request))

    def _has_key(self, request: web.Request) -> bool:
        if not self._key:
            return True
        given = request.headers.get("x-functions-key") or request.query.get("code") or ""
        return hmac.compare_digest(given.encode(), self._key.encode())


def _needs_key(function: IndexedFunction) -> bool:
    return str(function.trigger.get("authLevel")).lower() in ("function", "admin")


def _joined(pairs: MultiMapping[str]) -> dict[str, str]:
    """Repeated names as the host hands them to the worker: once, with their values joined by commas, and as text."""
    return {name: _text(",".join(pairs.getall(name))) for name in _names(pairs)}


def _text(value: str) -> str:
    """Bytes that are no UTF-8 become a mark: what goes to a worker is a protocol buffer's string."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _names(pairs: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(pairs))


def _response(function: IndexedFunction, result: InvocationResult) -> web.Response:
    if not result.succeeded:
        return web.Response(status=500)
    name = next((binding["name"] for binding in function.outputs if binding["type"] == "http"), "$return")
    answer: Any = result.outputs.get(name)
    if answer is None:
        return web.Response(status=204)
    if isinstance(answer, str):
        return web.Response(text=answer)
    if not isinstance(answer, func.HttpResponse):
        _log.error("Function %s answered with %s, not HttpResponse or str", function.name, type(answer).__name__)
        return web.Response(status=500)
    headers = CIMultiDict(answer.headers.items())
    if "content-type" not in headers:
        is_text = answer.mimetype.startswith("text/")
        headers["content-type"] = f"{answer.mimetype}; charset={answer.charset}" if is_text else answer.mimetype
    return web.Response(status=answer.status_code, headers=headers, body=answer.get_body())
