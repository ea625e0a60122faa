"""Backfills, resyncs, uploads and sweeps of all destinations: how far each is, and its end before it is done."""

from fastapi import APIRouter, Request, Response

from shared.views.backfills import BackfillView
from shared.web.console.destination_page import BACKFILLS, address
from shared.web.console.forms import Submitted
from shared.web.console.pages import PREFIX, PageRoute, page, redirect, render
from shared.web.context import AppServices
from shared.web.guarded import note
from shared.web.parameters import BackfillId
from shared.web.permissions import Permission

PATH = f"{PREFIX}/backfills"
router = APIRouter(prefix=PATH, route_class=PageRoute)

_OVER = 25
"""So many of those that are over are shown: each takes a request."""


@router.get("", **page(Permission.VIEW_SEGMENTS))
async def show_backfills(services: AppServices, request: Request) -> Response:
    configuration = await services.edit_configuration.load()
    shown, older = await services.backfill_statuses.newest(_OVER, configuration)
    return render(
        request,
        "backfills.html",
        under_way=[BackfillView.of(each) for each in shown if not each.backfill.finished],
        over=[BackfillView.of(each) for each in shown if each.backfill.finished],
        older=older,
        names={each.id: each.name for each in configuration.destinations},
        audiences={each.key: each.name for each in configuration.audiences},
        now=services.clock(),
    )


@router.post("/{backfill_id}/cancel", **page(*Permission))
async def cancel_backfill(
    services: AppServices, request: Request, backfill_id: BackfillId, form: Submitted
) -> Response:
    """Back to the page that it was asked on."""
    cancelled = await services.plan_backfills.cancel(backfill_id)
    note(request, f"backfill {backfill_id} {cancelled.state}")
    to = cancelled.destination_id
    return redirect(address(to, BACKFILLS) if to and form.text("back") != "backfills" else PATH, "cancelled")
