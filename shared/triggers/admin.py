"""`admin_api` and `console`: every HTTP request goes to one ASGI application; `home` leads to the console."""

import json
import logging
import os

import azure.functions as func

from shared.hosting import app_service_authentication, on_local_stack
from shared.triggers.invocation import ends

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()  # type: ignore[no-untyped-call]
# Whoever App Service authentication signed in needs no function key beside it; without it a key is all there is.
_ACCESS = func.AuthLevel.ANONYMOUS if app_service_authentication(os.environ) else func.AuthLevel.FUNCTION
# A browser sends no key with a page's links. Without either, all that there is is how to turn authentication on.
_CONSOLE_ACCESS = _ACCESS if on_local_stack(os.environ) else func.AuthLevel.ANONYMOUS

_DOES_NOT_LOAD = json.dumps(
    {"title": "Service Unavailable", "status": 503, "detail": "a package of the app does not load: its log says which"}
)
_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE"]


@blueprint.function_name("admin_api")
@blueprint.route("api/{*path}", trigger_arg_name="request", methods=_METHODS, auth_level=_ACCESS)
@ends
async def admin_api(request: func.HttpRequest) -> func.HttpResponse:
    """Answer a program; what is answered when is in `shared.web`."""
    return await _answer(request, "api")


@blueprint.function_name("console")
@blueprint.route("console/{*path}", trigger_arg_name="request", methods=_METHODS[:3], auth_level=_CONSOLE_ACCESS)
@ends
async def console(request: func.HttpRequest) -> func.HttpResponse:
    """Answer a browser; the pages are in `shared.web.console`."""
    return await _answer(request, "console")


@blueprint.function_name("home")
@blueprint.route("/", trigger_arg_name="request", methods=_METHODS[:2], auth_level=func.AuthLevel.ANONYMOUS)
@ends
async def home(request: func.HttpRequest) -> func.HttpResponse:
    """Lead to the console, where the platform would show its own page."""
    return func.HttpResponse(status_code=302, headers={"Location": "/console"})


async def _answer(request: func.HttpRequest, prefix: str) -> func.HttpResponse:
    try:
        from shared.triggers.asgi import answer
        from shared.web.app import asgi_app  # here, so that queue workers do without FastAPI
    except ImportError as error:
        logger.error("the app does not load: %s: deploy it with all packages of requirements.txt", error)
        return func.HttpResponse(_DOES_NOT_LOAD, status_code=503, mimetype="application/problem+json")

    return await answer(asgi_app(), request, prefix)
