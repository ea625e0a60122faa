"""A destination's page: what is activated to it, what its exports look like, its backfills."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from shared.domain.configuration.model import Configuration
from shared.domain.configuration.removals import removals
from shared.domain.configuration.schedules import stale_schedules_of
from shared.domain.exports.sample import sample_verdict
from shared.domain.instants import MILLISECOND
from shared.domain.profile.change import MAX_PROFILE_ID_LENGTH
from shared.services.wiring import Services
from shared.views.backfills import BackfillView
from shared.views.configuration import DestinationResource
from shared.views.last_exports import LastExportList
from shared.web.console import mapping
from shared.web.console.forms import Submitted
from shared.web.console.history import SPANS, charts_of
from shared.web.console.mapping import MappingForm
from shared.web.console.pages import PREFIX, PageRoute, page, redirect, render
from shared.web.console.problems_by_field import Problems
from shared.web.console.routes.alerts import open_alerts
from shared.web.context import AppServices
from shared.web.etags import as_shown
from shared.web.guarded import note
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission

PATH = f"{PREFIX}/destinations"
router = APIRouter(prefix=PREFIX, route_class=PageRoute)

_SEE = page(Permission.MANAGE_DESTINATIONS, Permission.VIEW_SEGMENTS)
_ACTIVATE = page(*Permission)
"""Whoever activates data needs all four permissions, as with the API."""
_BACKFILLS = 5


@router.get("/destinations/{destination_id}", **_SEE)
async def show_destination(
    services: AppServices,
    request: Request,
    destination_id: DestinationId,
    span: Annotated[str, Query(pattern="^(24h|7d|30d)$")] = "24h",
    follow: Annotated[bool, Query()] = False,
) -> Response:
    configuration = await services.edit_configuration.load()
    configuration.destination(destination_id)
    form = mapping.form_of(mapping.dataflow_of(configuration, destination_id), destination_id)
    return await _show(services, request, configuration, destination_id, form, span=span, follow=follow)


@router.post("/destinations/{destination_id}/preview", **page(*Permission, noted=False))
async def preview(
    services: AppServices, request: Request, destination_id: DestinationId, submitted: Submitted
) -> Response:
    """What exports would look like by the mapping as it is in the form, which is not saved.

    The script asks for it whenever somebody stops typing, so it is not noted, and with the field `live` the answer is
    the form alone: the rest of the page takes a dozen requests.
    """
    configuration = await services.edit_configuration.load()
    configuration.destination(destination_id)
    form, problems = mapping.parse(submitted, mapping.dataflow_of(configuration, destination_id), destination_id)
    if len(form.profile_id) > MAX_PROFILE_ID_LENGTH:
        problems["profile_id"] = [f"expected at most {MAX_PROFILE_ID_LENGTH:,} characters"]
    if submitted.checked("live"):
        values = await _form_values(services, configuration, destination_id, form, problems, previewed=True)
        return render(request, "mapping_form.html", status=422 if problems else 200, **values)
    return await _show(services, request, configuration, destination_id, form, problems, previewed=True)


@router.post("/destinations/{destination_id}", **_ACTIVATE)
async def save(
    services: AppServices, request: Request, destination_id: DestinationId, submitted: Submitted
) -> Response:
    configuration = await services.edit_configuration.load()
    configuration.destination(destination_id)
    form, problems = mapping.parse(submitted, mapping.dataflow_of(configuration, destination_id), destination_id)
    if problems:
        return await _show(services, request, configuration, destination_id, form, problems)
    plan = await services.destinations.map(form.dataflow, as_shown(form.etag))
    note(request, *plan.summary)
    return redirect(f"{PATH}/{destination_id}", "saved" if plan.changes_something else "unchanged")


@router.post("/destinations/{destination_id}/pause", **_ACTIVATE)
async def pause(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    note(request, *(await services.destinations.pause(destination_id)).summary)
    return redirect(f"{PATH}/{destination_id}", "paused")


@router.post("/destinations/{destination_id}/resume", **_ACTIVATE)
async def resume(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    note(request, *(await services.destinations.resume(destination_id)).summary)
    return redirect(f"{PATH}/{destination_id}", "resumed")


async def _show(
    services: Services,
    request: Request,
    configuration: Configuration,
    destination_id: str,
    form: MappingForm,
    problems: Problems | None = None,
    *,
    previewed: bool = False,
    span: str = "24h",
    follow: bool = False,
) -> Response:
    destination = configuration.destination(destination_id)
    problems = problems or {}
    backfills = await services.backfill_statuses.all(destination_id)
    return render(
        request,
        "destination.html",
        status=422 if problems else 200,
        destination=DestinationResource.of(destination, configuration, await services.health.load()),
        **await _form_values(services, configuration, destination_id, form, problems, previewed=previewed),
        backfills=[BackfillView.of(status) for status in reversed(backfills[-_BACKFILLS:])],
        waiting=await services.undelivered_exports.count(destination_id),
        alerts=await open_alerts(services, destination_id),
        charts=await charts_of(services, destination_id, span),
        last=LastExportList.of(
            await services.shown_exports.of(destination_id, configuration),
            masked=Permission.VIEW_PROFILES not in request.state.principal.permissions,
        ),
        # Of this very page: a form that is sent twice asks for one resync.
        resync_key=secrets.token_hex(16),
        follow=follow,
        spans=list(SPANS),
        span=span,
        now=services.clock(),
    )


async def _form_values(
    services: Services,
    configuration: Configuration,
    destination_id: str,
    form: MappingForm,
    problems: Problems,
    *,
    previewed: bool,
) -> dict[str, Any]:
    """What the form shows, and beside it an export by what it says."""
    verdict, removed = None, []
    if not problems:
        with_form = mapping.with_dataflow(configuration, form.dataflow)
        removed = removals(configuration, with_form)
        if previewed and form.profile_id:
            verdict = await services.explain_profile.preview(form.profile_id, destination_id, with_form)
        elif form.dataflow.audiences:
            verdict = sample_verdict(with_form, destination_id, services.clock())
    return {
        "destination_id": destination_id,
        "dataflow": mapping.dataflow_of(configuration, destination_id),
        "form": form,
        "stale_schedules": stale_schedules_of(form.dataflow, services.clock() // MILLISECOND),
        "choices": mapping.choices(configuration, form.dataflow),
        "problems": problems,
        "verdict": verdict,
        "removals": removed,
        "previewed": previewed,
    }
