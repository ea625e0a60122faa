"""The end of a destination, or of its dataflow alone: what goes with it is said first."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from shared.domain.configuration.model import Configuration
from shared.ports.undelivered import UndeliveredCount
from shared.services.destinations.connect import has_own_key
from shared.services.wiring import Services
from shared.web.api.routes.dataflows import delete_dataflow
from shared.web.api.routes.destinations import Id, find_destination, remove_destination
from shared.web.console.forms import Submitted
from shared.web.console.mapping import dataflow_of
from shared.web.console.pages import PREFIX, PageRoute, page, redirect, render
from shared.web.context import AppServices
from shared.web.etags import etag_of, expect_tag
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

PATH = f"{PREFIX}/destinations"
router = APIRouter(prefix=f"{PATH}/{{destination_id}}", route_class=PageRoute)

_MANAGE = page(Permission.MANAGE_DESTINATIONS)
_ACTIVATE = page(*Permission)


@router.get("/remove", **_MANAGE)
async def confirm_removal(services: AppServices, request: Request, destination_id: Id) -> Response:
    configuration = await services.edit_configuration.load()
    return await _confirm(
        services, request, configuration, destination_id, find_destination(configuration, destination_id)
    )


@router.post("/remove", **_MANAGE)
async def remove(services: AppServices, request: Request, destination_id: Id, form: Submitted) -> Response:
    expect_tag(request, form.text("etag"))
    key_is_gone = True
    with _unless_gone_already():
        key_is_gone = await remove_destination(services, request, destination_id)
    sees_destinations = Permission.VIEW_SEGMENTS in request.state.principal.permissions
    to = PREFIX if sees_destinations else f"{PREFIX}/alerts"
    return redirect(to, "removed" if key_is_gone else "key-left")


@router.get("/dataflow/remove", **_ACTIVATE)
async def confirm_unmapping(services: AppServices, request: Request, destination_id: Id) -> Response:
    configuration = await services.edit_configuration.load()
    destination = find_destination(configuration, destination_id)
    dataflow = dataflow_of(configuration, destination_id)
    if dataflow is None:
        raise ProblemError(404, f"{destination.name} has no dataflow: there is nothing to remove")
    return await _confirm(services, request, configuration, destination_id, dataflow)


@router.post("/dataflow/remove", **_ACTIVATE)
async def unmap(services: AppServices, request: Request, destination_id: Id, form: Submitted) -> Response:
    expect_tag(request, form.text("etag"))
    with _unless_gone_already():
        await delete_dataflow(services, request, destination_id)
    return redirect(f"{PATH}/{destination_id}", "unmapped")


@contextmanager
def _unless_gone_already() -> Iterator[None]:
    """A form that is sent twice is answered twice alike."""
    try:
        yield
    except ProblemError as error:
        if error.status != 404:
            raise


async def _confirm(
    services: Services, request: Request, configuration: Configuration, destination_id: str, removed: BaseModel
) -> Response:
    destination = find_destination(configuration, destination_id)
    others = [each for each in configuration.destinations if each is not destination]
    backfills = [
        each
        for each in await services.plan_backfills.all()
        if each.destination_id == destination_id and not each.finished
    ]
    counts = await services.undelivered_exports.counts()
    return render(
        request,
        "confirm_removal.html",
        destination=destination,
        alone=removed is not destination,
        dataflow=dataflow_of(configuration, destination_id),
        etag=etag_of(removed),
        waiting=counts.get(destination_id, UndeliveredCount({}, complete=True)),
        backfills=len(backfills),
        own_key=has_own_key(destination, others),
    )
