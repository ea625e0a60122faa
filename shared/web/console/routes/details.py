"""A destination's own details: what it is called, its event hub, what its exports carry."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from shared.domain.configuration.model import Destination
from shared.views.configuration import DestinationResource
from shared.web.console import look_form
from shared.web.console.connection_form import problems_of
from shared.web.console.forms import Submitted
from shared.web.console.pages import PREFIX, PageRoute, page, redirect, render
from shared.web.console.problems_by_field import Problems
from shared.web.context import AppServices
from shared.web.etags import as_shown, etag_of
from shared.web.guarded import note
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission

router = APIRouter(prefix=f"{PREFIX}/destinations/{{destination_id}}/edit", route_class=PageRoute)

_MANAGE = page(Permission.MANAGE_DESTINATIONS)
_TEXTS = ("name", "description", "event_hub_name")


@router.get("", **_MANAGE)
async def show_details(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    destination = (await services.edit_configuration.load()).destination(destination_id)
    values = destination.model_dump(include=set(_TEXTS)) | look_form.stored_values(destination)
    return _form(request, destination, values | {"etag": etag_of(destination)}, {})


@router.post("", **_MANAGE)
async def change_details(
    services: AppServices, request: Request, destination_id: DestinationId, form: Submitted
) -> Response:
    destination = (await services.edit_configuration.load()).destination(destination_id)
    texts = {name: form.edited(name, getattr(destination, name)) for name in _TEXTS}
    values = texts | look_form.values_of(form)
    etag = form.text("etag")
    try:
        written = DestinationResource.model_validate(
            {to_camel(name): text for name, text in texts.items()} | look_form.members_of(form)
        )
        plan = await services.destinations.change_details(destination_id, written, as_shown(etag))
    except ValidationError as error:
        return _form(request, destination, values | {"etag": etag}, problems_of(error, form))
    note(request, *plan.summary)
    return redirect(page_of(request, destination_id, "edit"), "edited" if plan.changes_something else "unchanged")


def page_of(request: Request, destination_id: str, otherwise: str) -> str:
    """The address of the destination's page; of the page `otherwise` below it for whoever may not see that."""
    path = f"{PREFIX}/destinations/{destination_id}"
    return path if Permission.VIEW_SEGMENTS in request.state.principal.permissions else f"{path}/{otherwise}"


def _form(request: Request, destination: Destination, values: dict[str, Any], problems: Problems) -> Response:
    return render(
        request,
        "edit.html",
        status=422 if problems else 200,
        destination=destination,
        values=values,
        problems=problems,
    )
