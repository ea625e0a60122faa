"""A destination's own details: what it is called, its event hub, what its exports carry."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from shared.domain.configuration.model import Configuration
from shared.views.configuration import DestinationResource
from shared.web.console import look_form
from shared.web.console.connection_form import problems_of
from shared.web.console.destination_page import PATH, SETTINGS, address, frame_of
from shared.web.console.forms import Submitted
from shared.web.console.pages import PageRoute, page, redirect, render
from shared.web.console.problems_by_field import Problems
from shared.web.context import AppServices
from shared.web.etags import as_shown, etag_of
from shared.web.guarded import note
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission

router = APIRouter(prefix=f"{PATH}/{{destination_id}}/edit", route_class=PageRoute)

_MANAGE = page(Permission.MANAGE_DESTINATIONS)
_TEXTS = ("name", "description", "event_hub_name")


@router.get("", **_MANAGE)
async def show_details(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    configuration = await services.edit_configuration.load()
    destination = configuration.destination(destination_id)
    values = destination.model_dump(include=set(_TEXTS)) | look_form.stored_values(destination)
    return _form(request, configuration, destination_id, values | {"etag": etag_of(destination)}, {})


@router.post("", **_MANAGE)
async def change_details(
    services: AppServices, request: Request, destination_id: DestinationId, form: Submitted
) -> Response:
    configuration = await services.edit_configuration.load()
    destination = configuration.destination(destination_id)
    texts = {name: form.edited(name, getattr(destination, name)) for name in _TEXTS}
    values = texts | look_form.values_of(form)
    etag = form.text("etag")
    try:
        written = DestinationResource.model_validate(
            {to_camel(name): text for name, text in texts.items()} | look_form.members_of(form)
        )
        plan = await services.destinations.change_details(destination_id, written, as_shown(etag))
    except ValidationError as error:
        return _form(request, configuration, destination_id, values | {"etag": etag}, problems_of(error, form))
    note(request, *plan.summary)
    return redirect(address(destination_id, SETTINGS), "edited" if plan.changes_something else "unchanged")


def _form(
    request: Request, configuration: Configuration, destination_id: str, values: dict[str, Any], problems: Problems
) -> Response:
    return render(
        request,
        "edit.html",
        status=422 if problems else 200,
        **frame_of(configuration, destination_id, SETTINGS),
        values=values,
        problems=problems,
    )
