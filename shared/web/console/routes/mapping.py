"""What is activated to a destination, and what its exports look like by that."""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response

from shared.domain.configuration.model import (
    ATTRIBUTES_PER_DATAFLOW,
    AUDIENCES_PER_DATAFLOW,
    Configuration,
    Dataflow,
)
from shared.domain.configuration.removals import removed_attributes
from shared.domain.configuration.schedules import stale_schedules_of
from shared.domain.configuration.seen_paths import seen_paths
from shared.domain.configuration.shadows import USUAL_HOURS, Tried
from shared.domain.instants import MILLISECOND
from shared.domain.profile.change import MAX_PROFILE_ID_LENGTH
from shared.errors import PreconditionFailedError
from shared.services.runs.recently_exported import RecentProfile
from shared.services.wiring import Services
from shared.web.console import mapping
from shared.web.console.choices import attribute_choices, audience_choices
from shared.web.console.destination_page import MAPPING, PATH, address, frame_of
from shared.web.console.forms import Form, Submitted
from shared.web.console.mapping import MappingForm
from shared.web.console.mapping_changes import clauses
from shared.web.console.mapping_preview import most_telling, named_in, preview_of
from shared.web.console.pages import PageRoute, known, page, redirect, render
from shared.web.console.problems_by_field import Problems, problems_of
from shared.web.console.shadow_panel import DURATIONS, Panel, panel_of
from shared.web.context import AppServices
from shared.web.etags import as_shown, etag_of
from shared.web.guarded import note
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission

router = APIRouter(prefix=f"{PATH}/{{destination_id}}", route_class=PageRoute)

# Whoever activates data needs all four permissions, as with the API. The forms of a page that was opened before an
# update from 0.1 are sent to the addresses without /mapping.
_SAVE, _PREVIEW = page(*Permission), page(*Permission, noted=False)


@router.get("/mapping", **page(*MAPPING.permissions))
async def show_mapping(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    configuration = await services.edit_configuration.load()
    configuration.destination(destination_id)
    form = mapping.form_of(mapping.dataflow_of(configuration, destination_id), destination_id)
    return await _show(services, request, configuration, destination_id, form)


@router.post("/preview", **_PREVIEW)
@router.post("/mapping/preview", **_PREVIEW)
async def preview(
    services: AppServices, request: Request, destination_id: DestinationId, submitted: Submitted
) -> Response:
    """What exports would look like by the mapping as it is in the form, which is not saved.

    The script asks for it whenever somebody stops typing, so it is not noted, and with the field `live` the answer is
    the form alone, without suggestions: those take a request for each profile.
    """
    configuration = await services.edit_configuration.load()
    configuration.destination(destination_id)
    form, problems = mapping.parse(submitted, mapping.dataflow_of(configuration, destination_id), destination_id)
    if len(form.profile_id) > MAX_PROFILE_ID_LENGTH:
        problems.add("profile_id", f"expected at most {MAX_PROFILE_ID_LENGTH:,} characters")
    live = submitted.checked("live")
    return await _show(services, request, configuration, destination_id, form, problems, previewed=True, live=live)


@router.post("", **_SAVE)
@router.post("/mapping", **_SAVE)
async def save(
    services: AppServices, request: Request, destination_id: DestinationId, submitted: Submitted
) -> Response:
    configuration = await services.edit_configuration.load()
    configuration.destination(destination_id)
    form, problems = mapping.parse(submitted, mapping.dataflow_of(configuration, destination_id), destination_id)
    if problems:
        return await _show(services, request, configuration, destination_id, form, problems, previewed=True)
    try:
        plan = await services.destinations.map(form.dataflow, as_shown(form.etag))
    except PreconditionFailedError as error:
        return await _changed_meanwhile(services, request, destination_id, submitted, error)
    note(request, *plan.summary)
    return redirect(address(destination_id, MAPPING), "saved" if plan.changes_something else "unchanged")


@router.post("/mapping/shadow", **_SAVE)
async def try_beside(
    services: AppServices, request: Request, destination_id: DestinationId, submitted: Submitted
) -> Response:
    """Try the mapping of the form beside the live one, instead of saving it."""
    configuration = await services.edit_configuration.load()
    form, problems = mapping.parse(submitted, configuration.dataflow(destination_id), destination_id)
    hours = submitted.text("hours")
    if hours not in map(str, DURATIONS):
        problems.add("", "expected one of the durations that the form offers")
    if problems:
        return await _show(services, request, configuration, destination_id, form, problems, previewed=True)
    try:
        await services.shadows.begin(form.dataflow, int(hours), as_shown(submitted.text("tried")))
    except PreconditionFailedError as error:
        return await _changed_meanwhile(services, request, destination_id, submitted, error)
    note(request, f"shadow of dataflow {destination_id} begun for {hours} hours")
    return redirect(address(destination_id, MAPPING), "tried")


async def _changed_meanwhile(
    services: Services, request: Request, destination_id: str, submitted: Form, error: PreconditionFailedError
) -> Response:
    """The form as it was typed, upon what is there by now: sent once more it replaces that."""
    configuration = await services.edit_configuration.load()
    before = mapping.dataflow_of(configuration, destination_id)
    form, others = mapping.parse(submitted, before, destination_id)
    form = replace(form, etag="" if before is None else etag_of(before))
    problems = problems_of(error, {})
    problems.merge(others)
    return await _show(services, request, configuration, destination_id, form, problems, previewed=True)


async def _show(
    services: Services,
    request: Request,
    configuration: Configuration,
    destination_id: str,
    form: MappingForm,
    problems: Problems | None = None,
    *,
    previewed: bool = False,
    live: bool = False,
) -> Response:
    """`live`: the form alone."""
    correct = not problems or problems.of_the_moment
    frame = frame_of(configuration, destination_id, MAPPING)
    before: Dataflow | None = frame["dataflow"]
    tried = Tried.of(configuration, destination_id) if before else None
    panel: Panel | str | None = None
    if tried is not None and not live:
        figures = await known(services.shadows.figures(configuration, destination_id))
        panel = figures if isinstance(figures, str) else panel_of(configuration, figures)
    trouble = None if live else (await services.health.load()).get(destination_id)
    recent: list[RecentProfile] = []
    if not live and Permission.VIEW_PROFILES in request.state.principal.permissions:
        recent = await services.recently_exported.of(destination_id, configuration)
    shape = await named_in(services, form) if live else most_telling(recent, form.dataflow.attributes)
    seen = seen_paths(profile.state.attributes.resolve() for profile in recent)
    attributes, more = attribute_choices(before, form.dataflow, seen, len(recent))
    return render(
        request,
        "mapping_form.html" if live else "mapping.html",
        status=problems.status if problems else 200,
        **frame,
        form=form,
        shape=shape.key if shape else "",
        stale_schedules=stale_schedules_of(form.dataflow, services.clock() // MILLISECOND),
        audiences=audience_choices(configuration, before, form.dataflow),
        attributes=attributes,
        more_attributes=more,
        looked_at=len(recent),
        limits={"audiences": AUDIENCES_PER_DATAFLOW, "attributes": ATTRIBUTES_PER_DATAFLOW},
        problems=problems or Problems(),
        correct=correct,
        previewed=previewed,
        panel=panel,
        trouble=trouble,
        tried="" if tried is None else etag_of(tried),
        durations=DURATIONS,
        usual_hours=USUAL_HOURS,
        now=services.clock(),
        **await _outcome(services, configuration, frame, form, shape, correct=correct),
    )


async def _outcome(
    services: Services,
    configuration: Configuration,
    frame: dict[str, Any],
    form: MappingForm,
    shape: RecentProfile | None,
    *,
    correct: bool,
) -> dict[str, Any]:
    """What saving would do, and what an export would look like after it; nothing of what is not `correct`."""
    if not correct:
        return {"changes": [], "removals": [], "preview": None}
    destination, before = frame["destination"], frame["dataflow"]
    plan = services.estimate_backfills.plan(configuration, form.dataflow)
    lost = removed_attributes(destination, before, form.dataflow) if before else []
    backfill = await services.estimate_backfills.of_planned(plan)
    return {
        "changes": clauses(before, form.dataflow, lost, backfill.text if backfill else ""),
        "removals": plan.removals,
        "preview": await preview_of(services, plan.configuration, destination.id, form, shape),
    }
