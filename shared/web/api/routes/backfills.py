"""Backfills and sweeps: how far they are, and their end before they are done."""

from fastapi import APIRouter, Request

from shared.views.backfills import BackfillList, BackfillView
from shared.web.context import AppServices
from shared.web.guarded import GuardedRoute, needs, note
from shared.web.parameters import BackfillId
from shared.web.permissions import Permission

router = APIRouter(prefix="/api/backfills", tags=["backfills"], route_class=GuardedRoute)


@router.get("", summary="List the backfills of the last 30 days", openapi_extra=needs(Permission.VIEW_SEGMENTS))
async def list_backfills(services: AppServices) -> BackfillList:
    """The oldest first; sweeps are among them, and uploads that were committed."""
    return BackfillList(backfills=[BackfillView.of(each) for each in await services.backfill_statuses.all()])


@router.get("/{backfill_id}", summary="Get a backfill", openapi_extra=needs(Permission.VIEW_SEGMENTS))
async def get_backfill(services: AppServices, backfill_id: BackfillId) -> BackfillView:
    return BackfillView.of(await services.backfill_statuses.get(backfill_id))


@router.post("/{backfill_id}/cancel", summary="Cancel a backfill", openapi_extra=needs(*Permission))
async def cancel_backfill(services: AppServices, request: Request, backfill_id: BackfillId) -> BackfillView:
    """What it has exported stays exported, the rest is not exported by it. One that has ended stays as it is."""
    cancelled = await services.plan_backfills.cancel(backfill_id)
    note(request, f"backfill {backfill_id} {cancelled.state}")
    return BackfillView.of(await services.backfill_statuses.of(cancelled))
