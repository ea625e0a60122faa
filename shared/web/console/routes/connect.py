"""The form that connects a destination: tried first, then kept."""

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from shared.domain.configuration.given_connection import NewDestination
from shared.domain.configuration.model import RETENTION_HOURS
from shared.errors import ConfigurationError, TakenError
from shared.services.wiring import Services
from shared.views.connections import ConnectionReportView
from shared.web.console import look_form
from shared.web.console.connection_form import (
    REFUSED,
    WAYS,
    connection_of,
    problems_of,
    surroundings_of,
    tested,
    values_of,
)
from shared.web.console.destination_page import MAPPING, SETTINGS, address
from shared.web.console.forms import Form, Submitted
from shared.web.console.pages import PREFIX, PageRoute, page, redirect, render
from shared.web.console.problems_by_field import Problems
from shared.web.context import AppServices
from shared.web.guarded import note
from shared.web.permissions import Permission

router = APIRouter(prefix=f"{PREFIX}/destinations", route_class=PageRoute)

_TEXTS = ("id", "name", "description")


@router.get("/new", **page(Permission.MANAGE_DESTINATIONS))
async def show_form(services: AppServices, request: Request) -> Response:
    empty = Form(
        {
            "way": [WAYS[0] if services.connect_destinations.keeps_keys else "app-setting"],
            "setting": ["EVENTHUBS"],
            "retention_hours": [str(RETENTION_HOURS)],
        }
    )
    return _form(services, request, empty, {})


@router.post("/check", **page(Permission.MANAGE_DESTINATIONS))
async def check(services: AppServices, request: Request, form: Submitted) -> Response:
    """Whether events could be sent; nothing is sent or kept. The keys have to be typed again after it."""
    try:
        report = await tested(form, services.connect_destinations, form.text("event_hub_name") or None)
    except (ValidationError, ConfigurationError) as error:
        return _form(services, request, form, problems_of(error, form), status=422)
    return _form(services, request, form, {}, report=report)


@router.post("", **page(Permission.MANAGE_DESTINATIONS))
async def connect(services: AppServices, request: Request, form: Submitted) -> Response:
    document = {name: form.text(name) for name in _TEXTS} | {
        "eventHubName": form.text("event_hub_name") or None,
        "connection": connection_of(form),
        **look_form.members_of(form),
    }
    try:
        given = NewDestination.model_validate(document)
        connected = await services.destinations.connect(given, force=form.checked("force"))
    except REFUSED as error:
        return _form(services, request, form, problems_of(error, form), status=422)
    except TakenError:
        problems = {"id": [f"there is a destination {given.id!r} already: choose another id"]}
        return _form(services, request, form, problems, status=409)
    note(request, *connected.summary)
    may_map = request.state.principal.permissions >= MAPPING.permissions
    return redirect(address(given.id, MAPPING if may_map else SETTINGS), "connected")


def _form(
    services: Services,
    request: Request,
    form: Form,
    problems: Problems,
    *,
    report: ConnectionReportView | None = None,
    status: int = 200,
) -> Response:
    values = values_of(form) | {name: form.text(name) for name in _TEXTS}
    return render(
        request,
        "connect.html",
        status=status,
        values=values | look_form.values_of(form),
        problems=problems,
        report=report,
        **surroundings_of(form, services.connect_destinations),
    )
