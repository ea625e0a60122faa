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
    problems_with,
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
_TAKEN = "there is a destination with this id already: choose another id"


@router.get("/new", **page(Permission.MANAGE_DESTINATIONS))
async def show_form(services: AppServices, request: Request) -> Response:
    empty = Form(
        {
            "way": [WAYS[0] if services.connect_destinations.keeps_keys else "app-setting"],
            "setting": ["EVENTHUBS"],
            "retention_hours": [str(RETENTION_HOURS)],
        }
    )
    return _form(services, request, empty, Problems())


@router.post("/check", **page(Permission.MANAGE_DESTINATIONS))
async def check(services: AppServices, request: Request, form: Submitted) -> Response:
    """Whether events could be sent; nothing is sent or kept. The keys have to be typed again after it.

    A hub that was found by a test is taken by `hub`.
    """
    if form.text("hub"):
        return _form(services, request, form.with_text("event_hub_name", form.text("hub")), Problems())
    try:
        report = await tested(form, services.connect_destinations, form.text("event_hub_name") or None)
    except (ValidationError, ConfigurationError) as error:
        return _form(services, request, form, problems_with(error, form))
    return _form(services, request, form, Problems(), report=report)


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
        problems = problems_with(error, form)
        if form.text("id") in {each.id for each in (await services.edit_configuration.load()).destinations}:
            problems.add("id", _TAKEN)
        return _form(services, request, form, problems)
    except TakenError:
        return _form(services, request, form, Problems({"id": [_TAKEN]}, status=409))
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
) -> Response:
    values = values_of(form) | {name: form.text(name) for name in _TEXTS}
    return render(
        request,
        "connect.html",
        status=problems.status if problems else 200,
        values=values | look_form.values_of(form),
        problems=problems,
        report=report,
        **surroundings_of(form, services.connect_destinations),
    )
