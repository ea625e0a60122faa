"""The last exports to a destination, of all instances."""

from fastapi import APIRouter, Request

from shared.views.last_exports import LastExportList
from shared.web.context import AppServices
from shared.web.guarded import GuardedRoute, needs
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission

router = APIRouter(prefix="/api/destinations", tags=["destinations"], route_class=GuardedRoute)


@router.get(
    "/{destination_id}/last-exports",
    summary="List the last exports to a destination",
    openapi_extra=needs(Permission.MANAGE_DESTINATIONS, Permission.VIEW_SEGMENTS),
)
async def list_last_exports(services: AppServices, request: Request, destination_id: DestinationId) -> LastExportList:
    """The last 20 of the last hour, up to 15 seconds late; with what they say, made again from the profiles."""
    configuration = await services.edit_configuration.load()
    destination = configuration.destination(destination_id)
    shown = await services.shown_exports.of(destination_id, configuration)
    look = await services.consumer_lags.kept(destination)
    return LastExportList.of(shown, look, masked=Permission.VIEW_PROFILES not in request.state.principal.permissions)
