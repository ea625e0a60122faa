"""The audit log: who changed what, when."""

from typing import Annotated

from fastapi import APIRouter, Query

from shared.views.audit import AuditEntryView, AuditPage
from shared.web.context import AppServices
from shared.web.guarded import GuardedRoute, needs
from shared.web.parameters import AuditEntryId
from shared.web.permissions import Permission

router = APIRouter(prefix="/api/audit", tags=["audit"], route_class=GuardedRoute)


@router.get("", summary="Read the audit log", openapi_extra=needs(Permission.MANAGE_DESTINATIONS))
async def read_audit_log(
    services: AppServices,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: AuditEntryId = "",
) -> AuditPage:
    """The newest first."""
    entries = await services.audit.newest_first(limit, before)
    return AuditPage(
        entries=[AuditEntryView.model_validate(entry) for entry in entries],
        next=entries[-1].id if len(entries) == limit else None,
    )
