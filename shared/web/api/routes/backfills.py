"""Backfills and sweeps: how far they are, and their end before they are done."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from shared.domain.backfills.backfill import Backfill
from shared.domain.instants import format_instant
from shared.errors import NoSuchBackfillError
from shared.services.wiring import Services
from shared.web.api.models.views import BackfillList, BackfillView
from shared.web.context import AppServices
from shared.web.guarded import GuardedRoute, needs, note
from shared.web.permissions import Permission

router = APIRouter(prefix="/api/backfills", tags=["backfills"], route_class=GuardedRoute)

Id = Annotated[str, Path(description="The backfill's id", pattern=r"^[A-Za-z0-9-]{1,128}$")]


@router.get("", summary="List the backfills of the last 30 days", openapi_extra=needs(Permission.VIEW_SEGMENTS))
async def list_backfills(services: AppServices) -> BackfillList:
    """The oldest first; sweeps are among them, and uploads that were committed."""
    return BackfillList(backfills=[await _view(services, each) for each in await services.plan_backfills.all()])


@router.get("/{backfill_id}", summary="Get a backfill", openapi_extra=needs(Permission.VIEW_SEGMENTS))
async def get_backfill(services: AppServices, backfill_id: Id) -> BackfillView:
    for each in await services.plan_backfills.all():
        if each.id == backfill_id:
            return await _view(services, each)
    raise NoSuchBackfillError(backfill_id)


@router.post("/{backfill_id}/cancel", summary="Cancel a backfill", openapi_extra=needs(*Permission))
async def cancel_backfill(services: AppServices, request: Request, backfill_id: Id) -> BackfillView:
    """What it has exported stays exported, the rest is not exported by it. One that has ended stays as it is."""
    cancelled = await services.plan_backfills.cancel(backfill_id)
    note(request, f"backfill {backfill_id} {cancelled.state}")
    return await _view(services, cancelled)


async def _view(services: Services, backfill: Backfill) -> BackfillView:
    progress = await services.plan_backfills.progress(backfill)
    return BackfillView(
        id=backfill.id,
        kind=backfill.kind,
        destination=backfill.destination_id or None,
        audiences=[{"namespace": key[0], "id": key[1]} for key, _ in backfill.audiences],
        state=backfill.state,
        note=backfill.note,
        requested_at=format_instant(backfill.requested_at),
        due_at=format_instant(backfill.due_at),
        started_at=format_instant(backfill.started_at) if backfill.started_at else None,
        finished_at=format_instant(backfill.finished_at) if backfill.finished_at else None,
        progress=progress.to_json(),
    )
