"""How much waits on the app's queues."""

from fastapi import APIRouter

from shared.views.queues import QueueList, QueueView
from shared.web.context import AppServices
from shared.web.guarded import GuardedRoute, needs
from shared.web.permissions import Permission

router = APIRouter(prefix="/api/queues", tags=["queues"], route_class=GuardedRoute)


@router.get("", summary="Count what waits on the queues", openapi_extra=needs(Permission.MANAGE_DESTINATIONS))
async def list_queues(services: AppServices) -> QueueList:
    return QueueList(queues=[QueueView.model_validate(each) for each in await services.queues.counts()])
