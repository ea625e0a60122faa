"""The audit log, to be read."""

from fastapi import APIRouter, Request, Response

from shared.views.audit import AuditEntryView
from shared.web.console.pages import PREFIX, PageRoute, page, render
from shared.web.context import AppServices
from shared.web.parameters import AuditEntryId
from shared.web.permissions import Permission

router = APIRouter(prefix=f"{PREFIX}/audit", route_class=PageRoute)

_ENTRIES = 100


@router.get("", **page(Permission.MANAGE_DESTINATIONS))
async def show_audit_log(services: AppServices, request: Request, before: AuditEntryId = "") -> Response:
    entries = await services.audit.newest_first(_ENTRIES, before)
    return render(
        request,
        "audit.html",
        entries=[AuditEntryView.model_validate(entry) for entry in entries],
        next=entries[-1].id if len(entries) == _ENTRIES else None,
        before=before,
    )
