"""A destination's own details: what it is called, its event hub, what its exports carry."""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from shared.domain.configuration.model import Configuration, Destination
from shared.domain.configuration.removals import removals
from shared.errors import PreconditionFailedError
from shared.views.configuration import DestinationResource
from shared.web.console import look_form
from shared.web.console.connection_form import problems_with
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
    return _form(request, configuration, destination_id, values | {"etag": etag_of(destination)}, Problems())


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
        taken_away = _removals(configuration, destination.model_copy(update=_details(written)))
        if taken_away and form.text("agreed") != _digest(taken_away):
            note(request, "not saved: it was asked whether consumers know of it")
            return _form(request, configuration, destination_id, values | {"etag": etag}, Problems(), taken_away)
        plan = await services.destinations.change_details(destination_id, written, as_shown(etag))
    except PreconditionFailedError as error:
        seen = values | {"etag": etag_of(destination)}
        return _form(request, configuration, destination_id, seen, problems_with(error, form))
    except ValidationError as error:
        return _form(request, configuration, destination_id, values | {"etag": etag}, problems_with(error, form))
    note(request, *plan.summary)
    return redirect(address(destination_id, SETTINGS), "edited" if plan.changes_something else "unchanged")


def _details(written: DestinationResource) -> dict[str, Any]:
    """What the form says of a destination, and nothing else of it."""
    return {name: getattr(written, name) for name in written.model_fields_set}


def _removals(configuration: Configuration, changed: Destination) -> list[str]:
    destinations = [changed if each.id == changed.id else each for each in configuration.destinations]
    return removals(configuration, configuration.model_copy(update={"destinations": destinations}))


def _digest(lines: Sequence[str]) -> str:
    """Tells whether what was agreed to is what is taken away: by then it may be something else."""
    return sha256(json.dumps(lines).encode()).hexdigest()[:16]


def _form(
    request: Request,
    configuration: Configuration,
    destination_id: str,
    values: dict[str, Any],
    problems: Problems,
    taken_away: Sequence[str] = (),
) -> Response:
    """`taken_away`: what consumers could read no more, to which whoever saves has to agree."""
    return render(
        request,
        "edit.html",
        status=problems.status if problems else 200,
        **frame_of(configuration, destination_id, SETTINGS),
        values=values,
        problems=problems,
        taken_away=taken_away,
        agreed=_digest(taken_away),
    )
