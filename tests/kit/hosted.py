"""The app behind its HTTP triggers, in process: paths arrive as the Functions host decodes them."""

import re

import azure.functions as func
import httpx
from starlette.types import ASGIApp

from local.functions_host.http.paths import decoded_path, encoded_path
from shared.triggers.asgi import ROUTE_PARAMETER, answer

_PREFIX = re.compile(r"/(api|console)(?:/(.*))?", re.DOTALL | re.IGNORECASE)


class HostedTransport(httpx.AsyncBaseTransport):
    """Hands each request to the app as the host hands it to `admin_api` and `console`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raw_path, _, query = request.url.raw_path.decode("ascii").partition("?")
        path = decoded_path(raw_path)
        if "\0" in path:
            return httpx.Response(400)
        if (found := _PREFIX.fullmatch(path)) is None:
            return httpx.Response(404)
        url = f"https://{request.url.netloc.decode()}{encoded_path(path)}{f'?{query}' if query else ''}"
        handed_over = func.HttpRequest(
            request.method,
            url,
            headers=dict(request.headers),
            params=dict(request.url.params),
            route_params={ROUTE_PARAMETER: found[2]} if found[2] else {},
            body=await request.aread(),
        )
        given = await answer(self._app, handed_over, found[1].lower())
        return httpx.Response(given.status_code, headers=list(given.headers.items()), content=given.get_body())
