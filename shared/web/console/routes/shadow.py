"""What becomes of a mapping that is tried beside the live one: made live, or dropped."""

from fastapi import APIRouter, Request, Response

from shared.web.console.destination_page import MAPPING, PATH, address
from shared.web.console.forms import Submitted
from shared.web.console.pages import PageRoute, page, redirect
from shared.web.context import AppServices
from shared.web.etags import as_shown
from shared.web.guarded import note
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission

router = APIRouter(prefix=f"{PATH}/{{destination_id}}/mapping/shadow", route_class=PageRoute)


@router.post("/make-live", **page(*Permission))
async def make_live(
    services: AppServices, request: Request, destination_id: DestinationId, submitted: Submitted
) -> Response:
    plan = await services.shadows.make_live(destination_id, as_shown(submitted.text("tried")))
    note(request, f"shadow of dataflow {destination_id} made live", *plan.summary)
    return redirect(address(destination_id, MAPPING), "saved")


@router.post("/drop", **page(*Permission))
async def drop(
    services: AppServices, request: Request, destination_id: DestinationId, submitted: Submitted
) -> Response:
    await services.shadows.drop(destination_id, as_shown(submitted.text("tried")))
    note(request, f"shadow of dataflow {destination_id} dropped")
    return redirect(address(destination_id, MAPPING), "untried")
