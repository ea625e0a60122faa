"""How much waits on the app's queues."""

from fastapi import APIRouter

from shared.web.api.models.queues import QueueList, QueueView
from shared.web.context import Relay
from shared.web.guarded import GuardedRoute, needs
from shared.web.permissions import Permission

router = APIRouter(prefix="/api/queues", tags=["queues"], route_class=GuardedRoute)


@router.get("", summary="Count what waits on the queues", openapi_extra=needs(Permission.MANAGE_DESTINATIONS))
async def list_queues(relay: Relay) -> QueueList:
    return QueueList(queues=[QueueView.of(each) for each in await relay.queues.counts()])
