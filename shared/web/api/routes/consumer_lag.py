"""How far the consumers of a destination's hub are behind, by their checkpoints."""

from fastapi import APIRouter

from shared.views.consumer_lag import ConsumerLagView
from shared.web.context import AppServices
from shared.web.guarded import GuardedRoute, needs
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission

router = APIRouter(prefix="/api/destinations", tags=["destinations"], route_class=GuardedRoute)


@router.get(
    "/{destination_id}/consumer-lag",
    summary="Say how far a destination's consumers are behind",
    openapi_extra=needs(Permission.VIEW_SEGMENTS),
)
async def get_consumer_lag(services: AppServices, destination_id: DestinationId) -> ConsumerLagView:
    """Asks the hub where its partitions end and lists the checkpoints in the container that the destination names. What
    cannot be said is told of in `problem`.
    """
    destination = (await services.edit_configuration.load()).destination(destination_id)
    return ConsumerLagView.of(await services.consumer_lags.look(destination), destination.retention_hours)
