"""The last exports to a destination."""

from fastapi import APIRouter, Request, Response

from shared.views.last_exports import LastExportList
from shared.web.console.destination_page import EXPORTS, PATH, frame_of
from shared.web.console.pages import PageRoute, page, render
from shared.web.context import AppServices
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("/{destination_id}/exports", **page(*EXPORTS.permissions))
async def show_exports(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    configuration = await services.edit_configuration.load()
    frame = frame_of(configuration, destination_id, EXPORTS)
    return render(
        request,
        "exports.html",
        **frame,
        last=LastExportList.of(
            await services.shown_exports.of(destination_id, configuration),
            await services.consumer_lags.kept(frame["destination"]),
            masked=Permission.VIEW_PROFILES not in request.state.principal.permissions,
        ),
        now=services.clock(),
    )
