"""What a destination is, how it is connected, and the ways to change or end that."""

from fastapi import APIRouter, Request, Response

from shared.web.console.destination_page import PATH, SETTINGS, frame_of
from shared.web.console.pages import PageRoute, page, render
from shared.web.context import AppServices
from shared.web.parameters import DestinationId

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("/{destination_id}/settings", **page(*SETTINGS.permissions))
async def show_settings(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    configuration = await services.edit_configuration.load()
    frame = frame_of(configuration, destination_id, SETTINGS)
    _, key_end = (await services.key_expiries.ends([frame["destination"]]))[destination_id]
    return render(request, "settings.html", **frame, key_end=key_end, now=services.clock())
