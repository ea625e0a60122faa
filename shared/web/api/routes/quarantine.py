"""What could not be taken: listed, shown, downloaded, put back on the queue, dropped."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from shared.errors import FailureCode
from shared.views.quarantine import QuarantinedView, QuarantineList, ReplayedView
from shared.web.context import AppServices
from shared.web.guarded import GuardedRoute, needs, note
from shared.web.parameters import RowId, Token
from shared.web.permissions import Permission

router = APIRouter(prefix="/api/quarantine", tags=["quarantine"], route_class=GuardedRoute)

_SEE = needs(Permission.VIEW_PROFILES)
_CHANGE = needs(Permission.MANAGE_DESTINATIONS, Permission.VIEW_PROFILES)


@router.get("", summary="List what is in quarantine", openapi_extra=_SEE)
async def list_quarantined(
    services: AppServices,
    reason: Annotated[str | None, Query(description="Text within the reason", max_length=200)] = None,
    code: FailureCode | None = None,
    token: Token = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> QuarantineList:
    """The newest first, without their bytes; with one code or with any."""
    page = await services.replay_quarantined.page(reason, token, limit, code)
    return QuarantineList.model_validate(page)


@router.get("/{row_id}", summary="Get an item in quarantine", openapi_extra=_SEE)
async def get_quarantined(services: AppServices, row_id: RowId) -> QuarantinedView:
    return QuarantinedView.of(await services.replay_quarantined.get(row_id))


@router.get(
    "/{row_id}/content",
    summary="Download an item as it was received",
    openapi_extra=_SEE,
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
async def download_quarantined(services: AppServices, row_id: RowId) -> Response:
    stored = await services.replay_quarantined.get(row_id)
    headers = {"Content-Disposition": f'attachment; filename="{row_id}"', "X-Content-Type-Options": "nosniff"}
    return Response(stored.raw, media_type="application/octet-stream", headers=headers)


@router.post("/{row_id}/replay", summary="Put an item back on the queue", openapi_extra=_CHANGE)
async def replay_quarantined(services: AppServices, request: Request, row_id: RowId) -> ReplayedView:
    """It becomes a message of its own; if it cannot be taken still, it comes back under a new id."""
    await services.replay_quarantined.replay_one(row_id)
    note(request, f"quarantine {row_id} replayed")
    return ReplayedView(row_id=row_id)


@router.delete("/{row_id}", summary="Drop an item for good", status_code=204, openapi_extra=_CHANGE)
async def drop_quarantined(services: AppServices, request: Request, row_id: RowId) -> None:
    await services.replay_quarantined.drop(row_id)
    note(request, f"quarantine {row_id} dropped")
