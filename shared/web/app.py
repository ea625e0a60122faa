"""The admin API as an ASGI application."""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from shared.bootstrap import app_settings, relay
from shared.domain.setting_problem import SettingProblem
from shared.domain.setting_problems import setting_problems
from shared.errors import RelayError, SettingError
from shared.hosting import app_service_authentication, on_local_stack
from shared.packages import needed_imports_that_fail
from shared.services.wiring import Services
from shared.settings import public_origins
from shared.web.api.openapi import describe, openapi_of
from shared.web.api.routes import (
    alerts,
    audience_counts,
    audiences,
    audit,
    backfills,
    configuration,
    connections,
    consumer_lag,
    dataflows,
    destinations,
    health,
    last_exports,
    metrics,
    profiles,
    quarantine,
    queues,
    undelivered,
    uploads,
)
from shared.web.console import pages
from shared.web.console.routes import alerts as alert_pages
from shared.web.console.routes import audiences as audience_pages
from shared.web.console.routes import audit as audit_page
from shared.web.console.routes import backfills as backfill_pages
from shared.web.console.routes import (
    connect,
    contract,
    destination_backfills,
    details,
    exports,
    mapping,
    overview,
    reconnect,
    removal,
    settings,
    shadow,
    subscriptions,
    upload,
    why,
)
from shared.web.console.routes import destinations as destination_pages
from shared.web.console.routes import input as input_page
from shared.web.console.routes import quarantine as quarantine_pages
from shared.web.console.routes import undelivered as undelivered_pages
from shared.web.context import WebContext
from shared.web.problems import ProblemError, answer
from shared.web.request_line import RequestLine

ROUTERS = (
    configuration.router,
    audiences.router,
    audience_counts.router,
    destinations.router,
    connections.router,
    consumer_lag.router,
    last_exports.router,
    dataflows.router,
    backfills.router,
    profiles.router,
    undelivered.router,
    quarantine.router,
    queues.router,
    uploads.router,
    metrics.router,
    alerts.router,
    audit.router,
    health.router,
)
PAGES = (
    destination_pages.router,
    audience_pages.router,
    connect.router,
    overview.router,
    mapping.router,
    shadow.router,
    exports.router,
    destination_backfills.router,
    contract.router,
    settings.router,
    details.router,
    reconnect.router,
    removal.router,
    backfill_pages.router,
    input_page.router,
    audit_page.router,
    alert_pages.router,
    subscriptions.router,
    upload.router,
    undelivered_pages.router,
    quarantine_pages.router,
    why.router,
)


def create_app(
    services: Callable[[], Awaitable[Services]],
    *,
    app_service_authentication: bool,
    public_origins: Collection[str] = (),
    local: bool = False,
    setting_problems: Sequence[SettingProblem] = (),
    broken_packages: Callable[[], Sequence[str]] = tuple,
) -> FastAPI:
    """The application over these services, which are asked for with the first request that needs them.

    The console is for people who are signed in; on a `local` stack there is nobody else. What is wrong with the app
    itself, `setting_problems` and `broken_packages`, it says wherever it is asked.
    """
    # The pages that FastAPI offers to browse the document load scripts from elsewhere. Its own telemetry would tell
    # whole addresses, and with them function keys.
    app = FastAPI(
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.context = WebContext(
        services,
        app_service_authentication,
        frozenset(public_origins),
        logging.getLogger("shared.web"),
        setting_problems,
        broken_packages,
    )
    app.add_middleware(RequestLine, answer=_answer)
    for kind in (ProblemError, RelayError, RequestValidationError, ValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _answer)
    app.add_route(f"{pages.PREFIX}/assets/{{tag}}/{{name}}", pages.serve_asset, include_in_schema=False)
    for router in ROUTERS:
        app.include_router(router)
    if app_service_authentication or local:
        for router in PAGES:
            app.include_router(router)
    else:
        for path in (pages.PREFIX, f"{pages.PREFIX}/{{rest:path}}"):
            app.add_route(path, pages.say_how_to_open, ["GET", "POST"], include_in_schema=False)
    describe(app)
    return app


async def _answer(request: Request, error: Exception) -> Response:
    return await (pages.answer if pages.is_page(request) else answer)(request, error)


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document, which is the same for every app."""

    async def services() -> Services:
        raise NotImplementedError("nothing is asked of this app but its document")

    return openapi_of(create_app(services, app_service_authentication=True))


@cache
def asgi_app() -> FastAPI:
    """The application of this worker process."""

    async def services() -> Services:
        return (await relay()).services

    environment = app_settings()
    origins: Collection[str] = ()
    with suppress(SettingError):  # which is among the problems
        origins = public_origins(environment)
    return create_app(
        services,
        app_service_authentication=app_service_authentication(environment),
        public_origins=origins,
        local=on_local_stack(environment),
        setting_problems=setting_problems(environment),
        broken_packages=lambda: needed_imports_that_fail(environment),
    )
