"""The end of a destination, or of its dataflow alone: what goes with it is said first."""

from contextlib import suppress

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from shared.domain.configuration.model import Configuration
from shared.errors import NotConfiguredError
from shared.services.destinations.connect import has_own_key
from shared.services.wiring import Services
from shared.web.console.destination_page import PATH, SETTINGS, address
from shared.web.console.forms import Submitted
from shared.web.console.mapping import dataflow_of
from shared.web.console.pages import PREFIX, PageRoute, page, redirect, render
from shared.web.context import AppServices
from shared.web.etags import as_shown, etag_of
from shared.web.guarded import note
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

router = APIRouter(prefix=f"{PATH}/{{destination_id}}", route_class=PageRoute)

_MANAGE = page(Permission.MANAGE_DESTINATIONS)
_ACTIVATE = page(*Permission)


@router.get("/remove", **_MANAGE)
async def confirm_removal(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    configuration = await services.edit_configuration.load()
    return await _confirm(services, request, configuration, destination_id, configuration.destination(destination_id))


@router.post("/remove", **_MANAGE)
async def remove(services: AppServices, request: Request, destination_id: DestinationId, form: Submitted) -> Response:
    key_left = False
    with suppress(NotConfiguredError):  # the form was sent twice
        removed = await services.destinations.remove(destination_id, as_shown(form.text("etag")))
        note(request, *removed.summary)
        key_left = removed.key_left
    sees_destinations = Permission.VIEW_SEGMENTS in request.state.principal.permissions
    to = PREFIX if sees_destinations else f"{PREFIX}/alerts"
    return redirect(to, "key-left" if key_left else "removed")


@router.get("/dataflow/remove", **_ACTIVATE)
async def confirm_unmapping(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    configuration = await services.edit_configuration.load()
    destination = configuration.destination(destination_id)
    dataflow = dataflow_of(configuration, destination_id)
    if dataflow is None:
        raise ProblemError(404, f"{destination.name} has no dataflow: there is nothing to remove")
    return await _confirm(services, request, configuration, destination_id, dataflow)


@router.post("/dataflow/remove", **_ACTIVATE)
async def unmap(services: AppServices, request: Request, destination_id: DestinationId, form: Submitted) -> Response:
    with suppress(NotConfiguredError):  # the form was sent twice
        note(request, *(await services.destinations.unmap(destination_id, as_shown(form.text("etag")))).summary)
    return redirect(address(destination_id, SETTINGS), "unmapped")


async def _confirm(
    services: Services, request: Request, configuration: Configuration, destination_id: str, removed: BaseModel
) -> Response:
    destination = configuration.destination(destination_id)
    others = [each for each in configuration.destinations if each is not destination]
    backfills = [
        each
        for each in await services.plan_backfills.all()
        if each.destination_id == destination_id and not each.finished
    ]
    return render(
        request,
        "confirm_removal.html",
        destination=destination,
        alone=removed is not destination,
        dataflow=dataflow_of(configuration, destination_id),
        etag=etag_of(removed),
        waiting=await services.undelivered_exports.count(destination_id),
        backfills=len(backfills),
        own_key=has_own_key(destination, others),
    )
