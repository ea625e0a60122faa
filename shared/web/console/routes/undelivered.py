"""What destinations have not heard of, and trying it again."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from shared.domain.exports.undelivered import UndeliveredState
from shared.errors import DELIVERY_CODES
from shared.views.undelivered import UndeliveredView
from shared.web.console.forms import Submitted
from shared.web.console.pages import PREFIX, PageRoute, page, redirect, render
from shared.web.context import AppServices
from shared.web.guarded import note
from shared.web.parameters import DestinationId, ProfileKey, Token
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

PATH = f"{PREFIX}/undelivered"
router = APIRouter(prefix=PATH, route_class=PageRoute)

_SEE = page(Permission.MANAGE_DESTINATIONS, Permission.VIEW_PROFILES)
_ROWS = 50


@router.get("", **_SEE)
async def show_undelivered(
    services: AppServices,
    request: Request,
    destination: Annotated[str, Query(pattern=r"^([a-z0-9][a-z0-9-]{0,62})?$")] = "",
    state: Annotated[str, Query(pattern="^(retrying|parked|dead)?$")] = "",
    code: Annotated[str, Query(pattern="^[a-z-]*$", max_length=40)] = "",
    token: Token = None,
) -> Response:
    wanted = UndeliveredState(state) if state else None
    listed = await services.undelivered_exports.page(destination or None, wanted, token, _ROWS, code or None)
    configuration = await services.edit_configuration.load()
    counts = await services.undelivered_exports.counts()
    return render(
        request,
        "undelivered.html",
        rows=[UndeliveredView.of(row) for row in listed.rows],
        next=listed.next,
        names={each.id: each.name for each in configuration.destinations},
        counts={each: count for each, count in counts.items() if count.by_state},
        redrives=await services.undelivered_exports.redrives(),
        troubles=await services.health.load(),
        destination=destination,
        state=state,
        code=code,
        codes=DELIVERY_CODES,
        now=services.clock(),
    )


@router.post("/{destination_id}/{profile_key}/redrive", **_SEE)
async def redrive_one(
    services: AppServices, request: Request, destination_id: DestinationId, profile_key: ProfileKey
) -> Response:
    outcome = await services.watch_destinations.redrive_one(destination_id, profile_key)
    note(request, f"redrive {outcome}")
    return redirect(PATH, outcome)


@router.get("/{destination_id}/redrive", **page(Permission.MANAGE_DESTINATIONS))
async def confirm_redrive(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    destination = (await services.edit_configuration.load()).destination(destination_id)
    count = await services.undelivered_exports.count(destination_id)
    if not count.by_state:
        raise ProblemError(404, f"nothing is undelivered to {destination.name}: there is nothing to redrive")
    return render(
        request,
        "confirm_redrive.html",
        destination=destination,
        count=count,
        trouble=(await services.health.load()).get(destination_id),
        now=services.clock(),
    )


@router.post("/{destination_id}/redrive", **page(Permission.MANAGE_DESTINATIONS))
async def redrive_all(
    services: AppServices, request: Request, destination_id: DestinationId, _form: Submitted
) -> Response:
    (await services.edit_configuration.load()).destination(destination_id)
    await services.watch_destinations.request_redrive(destination_id)
    principal = request.state.principal
    rows = Permission.VIEW_PROFILES in principal.permissions
    return redirect(f"{PATH}?destination={destination_id}" if rows else PREFIX, "redriving")
