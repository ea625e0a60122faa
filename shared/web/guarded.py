"""What happens to each request before its route: who calls is checked, what was sent is checked, changes are noted."""

import re
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request, Response
from fastapi.routing import APIRoute

from shared.domain.jsonvalue import InvalidJsonError, decode_utf8, parse_json, require_storable
from shared.errors import SettingError
from shared.ports.audit import AuditEntry
from shared.web.context import context_of
from shared.web.health import UNNAMED, may_see
from shared.web.origins import refuse_other_sites
from shared.web.permissions import Permission, Principal, principal_of
from shared.web.problems import ProblemError, answer, problem_of

PERMISSIONS = "x-permissions"
"""Where the OpenAPI document says which permissions a route needs."""
LARGEST_JSON = 1024 * 1024
LARGEST_FILE = 4 * 1024 * 1024
JSON_TYPES = ("application/json",)
FILE_TYPES = ("text/csv", "application/x-ndjson")
FORM_TYPES = ("application/x-www-form-urlencoded",)
_READING = ("GET", "HEAD")
_NOT_SHOWN = re.compile(r"[^\w/:@!$&'()*+,;=.~-]")

Answer = Callable[[Request, Exception], Coroutine[Any, Any, Response]]


def needs(
    *permissions: Permission,
    accepts: tuple[str, ...] = JSON_TYPES,
    preconditions: bool = False,
    noted: bool = True,
    largest: int = LARGEST_JSON,
) -> dict[str, Any]:
    """What a route's `openapi_extra` must be: the permissions it needs, the media types it accepts and how many bytes
    of them, whether it heeds If-Match and If-None-Match, and whether the audit log has it, unless it is a GET, which
    never is.
    """
    names = [str(permission) for permission in permissions]
    return {
        PERMISSIONS: names,
        "x-accepts": list(accepts),
        "x-largest": largest,
        "x-preconditions": preconditions,
        "x-noted": noted,
    }


class GuardedRoute(APIRoute):
    """A route that nobody reaches without the permissions which it names."""

    answer = staticmethod(answer)
    """What is answered when an error ends a request."""

    @staticmethod
    async def check(request: Request, accepts: list[str], largest: int) -> None:
        """Hold a request that changes something against what it must be. Raises ProblemError."""
        refuse_other_sites(request)
        await _check_body(request, accepts, largest)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        extra = self.openapi_extra or {}
        if PERMISSIONS not in extra:
            raise TypeError(f"route {self.path}: say with openapi_extra=needs(…) which permissions it needs")
        required = [Permission(name) for name in extra[PERMISSIONS]]
        accepts = extra["x-accepts"]

        async def guarded(request: Request) -> Response:
            context = context_of(request)
            try:
                principal = principal_of(request.headers, app_service_authentication=context.app_service_authentication)
                request.state.principal = principal
                principal.require(required)
                if request.method in _READING:
                    return await handler(request)
                await self.check(request, accepts, extra["x-largest"])
                if not extra["x-noted"]:
                    return await handler(request)
                return await _noted(request, principal, handler, self.answer)
            except Exception as error:
                return await _failed(request, error, self.answer)

        return guarded


async def _noted(
    request: Request,
    principal: Principal,
    handler: Callable[[Request], Coroutine[Any, Any, Response]],
    answer_error: Answer,
) -> Response:
    """Carry the request out between two notes in the audit log: that it was tried, and what came of it.

    Without the first it is not carried out. Raises StorageError.
    """
    services = await context_of(request).services()
    entry = AuditEntry(
        at=services.clock(), who=principal.name, what=f"{request.method} {shown_path(request)}{_query(request)}"
    )
    await services.audit.begin(entry)
    try:
        response = await handler(request)
    except Exception as error:
        entry.details = [problem_of(error).detail]
        response = await _failed(request, error, answer_error)
    else:
        entry.details = list(getattr(request.state, "audit_details", ()))
    entry.status = response.status_code
    await services.audit.end(entry)
    return response


async def _failed(request: Request, error: Exception, answer_error: Answer) -> Response:
    """The answer to a request that ended in `error`; the log has all of one that nobody expected."""
    if isinstance(error, SettingError) and not may_see(request.state.principal):
        error = ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, UNNAMED)
    response = await answer_error(request, error)
    if response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
        context_of(request).logger.error("%s %s failed", request.method, shown_path(request), exc_info=error)
    return response


def note(request: Request, *details: str) -> None:
    """What the audit log says of this request besides who, when and which: ids and counts, nothing of any profile."""
    request.state.audit_details = [*getattr(request.state, "audit_details", ()), *details]


def shown_path(request: Request) -> str:
    """The path as a line shows it: no two are shown alike."""
    return _NOT_SHOWN.sub(lambda found: quote(found[0]), request.scope["path"])


def _query(request: Request) -> str:
    """As sent, but for `code`, which is a function key, and to the platform so in any case."""
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name.lower() != "code"]
    return f"?{urlencode(pairs)}" if pairs else ""


async def _check_body(request: Request, accepts: list[str], largest: int) -> None:
    """Raises ProblemError: 411 for one that did not get here, 413 for one that is too large, 415 for another type or
    encoding, 400 for what is not JSON.
    """
    body = await request.body()
    if len(body) > largest:
        raise ProblemError(413, f"expected at most {largest:,} bytes, got {len(body):,}")
    if not body:
        if "chunked" in request.headers.get("transfer-encoding", "").lower():
            raise ProblemError(
                411, "the platform hands over no body that comes in chunks: send it whole, with its Content-Length"
            )
        return
    if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise ProblemError(
            415,
            "expected a body without Content-Encoding: send it uncompressed",
            headers={"Accept-Encoding": "identity"},
        )
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in accepts:
        raise ProblemError(415, f"expected Content-Type: {' or '.join(accepts)}")
    if accepts == list(JSON_TYPES):
        try:
            require_storable(parse_json(decode_utf8(body)))
        except InvalidJsonError as error:
            raise ProblemError(400, str(error)) from None
