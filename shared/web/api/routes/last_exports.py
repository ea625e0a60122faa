"""The last exports to a destination, of all instances."""

from fastapi import APIRouter, Request

from shared.domain.configuration.model import Configuration
from shared.services.wiring import Services
from shared.web.api.models.last_exports import LastExportList, LastExportView
from shared.web.api.routes.destinations import Id, find_destination
from shared.web.context import AppServices
from shared.web.guarded import GuardedRoute, needs
from shared.web.permissions import Permission

router = APIRouter(prefix="/api/destinations", tags=["destinations"], route_class=GuardedRoute)


@router.get(
    "/{destination_id}/last-exports",
    summary="List the last exports to a destination",
    openapi_extra=needs(Permission.MANAGE_DESTINATIONS, Permission.VIEW_SEGMENTS),
)
async def list_last_exports(services: AppServices, request: Request, destination_id: Id) -> LastExportList:
    """The last 20 of the last hour, up to 15 seconds late; with what they say, made again from the profiles."""
    configuration = await services.edit_configuration.load()
    find_destination(configuration, destination_id)
    return await last_exports(services, request, configuration, destination_id)


async def last_exports(
    services: Services, request: Request, configuration: Configuration, destination_id: str
) -> LastExportList:
    """As whoever asks may see them."""
    masked = Permission.VIEW_PROFILES not in request.state.principal.permissions
    shown = await services.shown_exports.of(destination_id, configuration)
    return LastExportList(last_exports=[LastExportView.of(each, masked=masked) for each in shown], masked=masked)
