"""The form that rotates a destination's key, or connects it in another way: tried first, then kept."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from shared.domain.configuration.model import Configuration, Destination, SasAuthentication
from shared.errors import ConfigurationError
from shared.services.wiring import Services
from shared.views.connections import ConnectionReportView
from shared.web.console.connection_form import REFUSED, given_in, problems_with, surroundings_of, tested, values_of
from shared.web.console.destination_page import PATH, SETTINGS, address, frame_of
from shared.web.console.forms import Form, Submitted
from shared.web.console.pages import PageRoute, page, redirect, render
from shared.web.console.problems_by_field import Problems
from shared.web.context import AppServices
from shared.web.etags import as_shown, etag_of
from shared.web.guarded import note
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission

router = APIRouter(prefix=f"{PATH}/{{destination_id}}/connection", route_class=PageRoute)

_MANAGE = page(Permission.MANAGE_DESTINATIONS)


@router.get("", **_MANAGE)
async def show_connection(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    configuration = await services.edit_configuration.load()
    destination = configuration.destination(destination_id)
    form = _as_it_is(destination, services.connect_destinations.keeps_keys)
    return _form(services, request, configuration, destination, form, Problems())


@router.post("/check", **_MANAGE)
async def check_other_connection(
    services: AppServices, request: Request, destination_id: DestinationId, form: Submitted
) -> Response:
    """Whether events could be sent to its hub this way; nothing is sent or kept."""
    configuration = await services.edit_configuration.load()
    destination = configuration.destination(destination_id)
    try:
        report = await tested(form, services.connect_destinations, destination.event_hub_name)
    except (ValidationError, ConfigurationError) as error:
        return _form(services, request, configuration, destination, form, problems_with(error, form))
    return _form(services, request, configuration, destination, form, Problems(), report)


@router.post("", **_MANAGE)
async def reconnect(
    services: AppServices, request: Request, destination_id: DestinationId, form: Submitted
) -> Response:
    configuration = await services.edit_configuration.load()
    destination = configuration.destination(destination_id)
    try:
        given = given_in(form, destination.event_hub_name).connection
        reconnected = await services.destinations.reconnect(
            destination_id, given, as_shown(form.text("etag")), force=form.checked("force")
        )
    except REFUSED as error:
        return _form(services, request, configuration, destination, form, problems_with(error, form))
    note(request, *reconnected.summary)
    return redirect(address(destination_id, SETTINGS), "reconnected")


def _as_it_is(destination: Destination, keeps_keys: bool) -> Form:
    """What is known of the connection; a key is not."""
    authentication = destination.authentication
    if authentication is None or (isinstance(authentication, SasAuthentication) and not keeps_keys):
        fields = {"way": "app-setting", "setting": destination.connection}
    elif isinstance(authentication, SasAuthentication):
        fields = {"way": "standard", "namespace": authentication.namespace, "key_name": authentication.key_name}
    else:
        client_id = authentication.client_id or ""
        fields = {"way": "managed-identity", "namespace": authentication.namespace, "client_id": client_id}
    return Form({name: [value] for name, value in (fields | {"etag": etag_of(destination)}).items()})


def _form(
    services: Services,
    request: Request,
    configuration: Configuration,
    destination: Destination,
    form: Form,
    problems: Problems,
    report: ConnectionReportView | None = None,
) -> Response:
    # Once it was said that somebody else changed it, to send it again is to replace that.
    etag = etag_of(destination) if problems.status == HTTPStatus.PRECONDITION_FAILED else form.text("etag")
    return render(
        request,
        "reconnect.html",
        status=problems.status if problems else 200,
        **frame_of(configuration, destination.id, SETTINGS),
        values=values_of(form) | {"event_hub_name": destination.event_hub_name, "etag": etag},
        problems=problems,
        report=report,
        **surroundings_of(form, services.connect_destinations),
        old_key_needed=round(services.connect_destinations.old_key_needed),
    )
