"""How a page is made: from a template, with its navigation, under headers that let nothing else in."""

import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import MutableHeaders

from shared.domain.instants import SECOND, format_instant
from shared.errors import StorageError
from shared.web import problems
from shared.web.console.advice import ADVICE
from shared.web.console.forms import COOKIE, FIELD, form_of, require_own_page, token_of
from shared.web.console.glossary import WORDS
from shared.web.console.live import LiveParts
from shared.web.console.notices import NOTICES
from shared.web.console.words import FILTERS
from shared.web.context import context_of
from shared.web.etags import matches
from shared.web.guarded import FORM_TYPES, LARGEST_JSON, GuardedRoute, needs
from shared.web.health import banner
from shared.web.permissions import Permission, Principal, principal_of

T = TypeVar("T")
PREFIX = "/console"
_HERE = Path(__file__).parent
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # With no-referrer, browsers send `Origin: null` with forms, and whose form it is could not be seen.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class _Entry:
    label: str
    path: str
    permissions: frozenset[Permission]


_NAVIGATION = (
    _Entry("Destinations", PREFIX, frozenset({Permission.MANAGE_DESTINATIONS, Permission.VIEW_SEGMENTS})),
    _Entry("Input", f"{PREFIX}/input", frozenset({Permission.MANAGE_DESTINATIONS})),
    _Entry("Backfills", f"{PREFIX}/backfills", frozenset({Permission.VIEW_SEGMENTS})),
    _Entry("Audiences", f"{PREFIX}/audiences", frozenset({Permission.VIEW_SEGMENTS})),
    _Entry("Alerts", f"{PREFIX}/alerts", frozenset({Permission.MANAGE_DESTINATIONS})),
    _Entry(
        "Undelivered", f"{PREFIX}/undelivered", frozenset({Permission.MANAGE_DESTINATIONS, Permission.VIEW_PROFILES})
    ),
    _Entry("Quarantine", f"{PREFIX}/quarantine", frozenset({Permission.VIEW_PROFILES})),
    _Entry("Why exported?", f"{PREFIX}/why", frozenset({Permission.VIEW_PROFILES, Permission.VIEW_SEGMENTS})),
    _Entry("Audit", f"{PREFIX}/audit", frozenset({Permission.MANAGE_DESTINATIONS})),
)

ASSETS = {path.name: path.read_bytes() for path in sorted((_HERE / "static").iterdir())}
"""What pages load besides themselves, by name."""
TAGS = {name: hashlib.sha256(content).hexdigest()[:16] for name, content in ASSETS.items()}
"""The hash of each, which is in its address: so it can be kept for good."""

_environment = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= FILTERS
_environment.globals |= {
    "asset": lambda name: f"{PREFIX}/assets/{TAGS[name]}/{name}",
    "token_field": FIELD,
    "words": WORDS,
    "advice": ADVICE,
    "permission": {each.name: each for each in Permission},
}


class PageRoute(GuardedRoute):
    """A route whose errors are pages, too, and which takes what forms send."""

    @staticmethod
    async def answer(request: Request, error: Exception) -> Response:  # type: ignore[override]
        return await answer(request, error)

    @staticmethod
    async def check(request: Request, accepts: list[str], largest: int) -> None:
        await GuardedRoute.check(request, accepts, largest)
        await require_own_page(request)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def secured(request: Request) -> Response:
            request.state.banner = await banner(request, _principal(request))
            response = await handler(request)
            secure(response.headers)
            return response

        return secured


def page(*permissions: Permission, noted: bool = True, largest: int = LARGEST_JSON) -> dict[str, Any]:
    """What the decorator of a page's route is given besides its path: whom it is for, and, where it is a form's,
    whether the audit log has it, and how many bytes it may have.
    """
    return {
        "openapi_extra": needs(*permissions, accepts=FORM_TYPES, noted=noted, largest=largest),
        "include_in_schema": False,
        "response_class": HTMLResponse,
        "response_model": None,
    }


async def known(asked: Awaitable[T]) -> T | str:
    """What was asked for, or why that is not known: the page has more to say than that."""
    try:
        return await asked
    except StorageError as error:
        return str(error)


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The page; `now` (microseconds) has to be among the `values` if it tells ages, and is shown then.

    A page that is looked at and asks again by the tag of its parts is told that they are the same, where they are.
    """
    principal, live = _principal(request), LiveParts()
    allowed = principal.permissions if principal else frozenset()
    token, new = token_of(request)
    content = _environment.get_template(template).render(
        path=request.url.path,
        posted=request.method == "POST",
        navigation=[entry for entry in _NAVIGATION if entry.permissions <= allowed],
        who=principal.name if principal else None,
        may=lambda *wanted: set(wanted) <= allowed,
        notice=NOTICES.get(request.query_params.get("done", "")),
        token=token,
        banner=getattr(request.state, "banner", ()),
        live=live,
        as_of=format_instant(values["now"] // SECOND * SECOND) if "now" in values else "",
        **values,
    )
    headers = {"Cache-Control": "no-store"}
    if live.follow and status == HTTPStatus.OK and request.method == "GET":
        headers["ETag"] = live.etag
        if matches(request.headers.get("if-none-match", ""), live.etag):
            return HTMLResponse(None, HTTPStatus.NOT_MODIFIED, headers)
    response = HTMLResponse(content, status, headers)
    if new:
        response.set_cookie(
            COOKIE, token, path=PREFIX, secure=request.url.scheme == "https", httponly=True, samesite="strict"
        )
    return response


def _principal(request: Request) -> Principal | None:
    """Who looks; no route has asked for that where there is no route."""
    known: Principal | None = getattr(request.state, "principal", None)
    if known is not None:
        return known
    with suppress(problems.ProblemError):
        authenticated = context_of(request).app_service_authentication
        return principal_of(request.headers, app_service_authentication=authenticated)
    return None


def redirect(path: str, done: str) -> RedirectResponse:
    """To the page that shows what a form did; `done` is one of the notices."""
    joint = "&" if "?" in path else "?"
    return RedirectResponse(f"{path}{joint}done={done}", 303)


def is_page(request: Request) -> bool:
    """Whether the request is for the console."""
    path: str = request.scope["path"]
    return path == PREFIX or path.startswith(f"{PREFIX}/")


async def answer(request: Request, error: Exception) -> Response:
    """The page that tells of `error`; problem details for a client that asks for JSON alone."""
    accepted = request.headers.get("accept", "*/*")
    if "json" in accepted and "text/html" not in accepted:
        response: Response = await problems.answer(request, error)
    else:
        problem = problems.problem_of(error)
        title = problems.title_of(problem.status)
        again = []
        if request.method == "POST" and problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
            again = (await form_of(request)).again()
        response = render(request, "error.html", status=problem.status, title=title, problem=problem, again=again)
        response.headers.update(problem.headers)
    secure(response.headers)
    return response


async def say_how_to_open(request: Request) -> Response:
    """The answer to whatever is asked of the console where nobody can be signed in."""
    content = _environment.get_template("closed.html").render(
        path=request.url.path, posted=False, navigation=(), who=None, notice=None, banner=(), live=LiveParts(), as_of=""
    )
    response = HTMLResponse(content, 403)
    secure(response.headers)
    return response


def secure(headers: MutableHeaders) -> None:
    """Nothing but the console's own files may run or show in a page, and nothing keeps it."""
    headers.update(_HEADERS)
    headers.setdefault("Cache-Control", "no-store")


async def serve_asset(request: Request) -> Response:
    """A style sheet or a script; it says nothing of anybody."""
    name = request.path_params["name"]
    if name not in ASSETS or request.path_params["tag"] != TAGS[name]:
        return await answer(request, problems.ProblemError(404, "there is no such file: reload the page"))
    etag = f'"{TAGS[name]}"'
    media_type = "text/css" if name.endswith(".css") else "text/javascript"
    headers = {"ETag": etag, "Cache-Control": "public, max-age=31536000, immutable"}
    if request.headers.get("if-none-match") == etag:
        response = Response(status_code=304, headers=headers)
    else:
        response = Response(ASSETS[name], media_type=media_type, headers=headers)
    secure(response.headers)
    return response
