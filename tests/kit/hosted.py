"""The app behind its HTTP triggers, in process: paths arrive as the Functions host decodes them."""

import re
from urllib.parse import quote, unquote_to_bytes

import azure.functions as func
import httpx
from fastapi import FastAPI

from shared.triggers.asgi import ROUTE_PARAMETER, answer

_PREFIX = re.compile(r"/(api|console)(?:/(.*))?", re.DOTALL | re.IGNORECASE)
_ENCODED = re.compile(r"(?:%[0-9A-F]{2})+", re.IGNORECASE)
_DOTS = re.compile(r"/\.(?=/|$)|(?:/[^/]*)?/\.\.(?=/|$)")


def decoded_by_the_host(raw: str) -> str | None:
    """The path that the host makes of a request's; None where it refuses the request (400).

    tests/fixtures/host-paths.json has what host 4.1037 made of many.
    """
    if "%00" in raw:
        return None
    path = re.sub("%2E", ".", raw, flags=re.IGNORECASE)
    while (shorter := _DOTS.sub(lambda found: "/" if found.end() == len(found.string) else "", path, count=1)) != path:
        path = shorter
    return _ENCODED.sub(lambda found: _decoded(found[0]), path)


def _decoded(run: str) -> str:
    """Of percent-encoded bytes, all but slashes and what is no UTF-8."""
    text = ""
    for piece in re.split("(%2F)", run, flags=re.IGNORECASE):
        if piece.upper() == "%2F":
            text += piece
            continue
        decoded = unquote_to_bytes(piece).decode("utf-8", "surrogateescape")
        text += re.sub("[\udc80-\udcff]", lambda found: f"%{ord(found[0]) - 0xDC00:02X}", decoded)
    return text


def encoded_by_the_host(path: str) -> str:
    """As it stands in the URL that a function sees: `%` stays where two hexadecimal digits follow."""
    as_it_is = re.split("(%[0-9A-Fa-f]{2})", path)
    return "".join(
        piece if number % 2 else quote(piece, safe="/:@!$&'()*+,;=~") for number, piece in enumerate(as_it_is)
    )


class HostedTransport(httpx.AsyncBaseTransport):
    """Hands each request to the app as the host hands it to `admin_api` and `console`."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raw_path, _, query = request.url.raw_path.decode("ascii").partition("?")
        path = decoded_by_the_host(raw_path)
        found = None if path is None else _PREFIX.fullmatch(path)
        if path is None or found is None:
            return httpx.Response(400 if path is None else 404)
        url = f"https://{request.url.netloc.decode()}{encoded_by_the_host(path)}{f'?{query}' if query else ''}"
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
