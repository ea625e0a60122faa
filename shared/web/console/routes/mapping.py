"""What is activated to a destination, and what its exports look like by that."""

from typing import Any

from fastapi import APIRouter, Request, Response

from shared.domain.configuration.model import Configuration
from shared.domain.configuration.removals import removals
from shared.domain.configuration.schedules import stale_schedules_of
from shared.domain.exports.sample import sample_verdict
from shared.domain.instants import MILLISECOND
from shared.domain.profile.change import MAX_PROFILE_ID_LENGTH
from shared.services.wiring import Services
from shared.web.console import mapping
from shared.web.console.destination_page import MAPPING, PATH, address, frame_of
from shared.web.console.forms import Submitted
from shared.web.console.mapping import MappingForm
from shared.web.console.pages import PageRoute, page, redirect, render
from shared.web.console.problems_by_field import Problems
from shared.web.context import AppServices
from shared.web.etags import as_shown
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
    the form alone: the rest of the page takes a dozen requests.
    """
    configuration = await services.edit_configuration.load()
    configuration.destination(destination_id)
    form, problems = mapping.parse(submitted, mapping.dataflow_of(configuration, destination_id), destination_id)
    if len(form.profile_id) > MAX_PROFILE_ID_LENGTH:
        problems["profile_id"] = [f"expected at most {MAX_PROFILE_ID_LENGTH:,} characters"]
    if submitted.checked("live"):
        values = await _form_values(services, configuration, destination_id, form, problems, previewed=True)
        values |= frame_of(configuration, destination_id, MAPPING)
        return render(request, "mapping_form.html", status=422 if problems else 200, **values)
    return await _show(services, request, configuration, destination_id, form, problems, previewed=True)


@router.post("", **_SAVE)
@router.post("/mapping", **_SAVE)
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
    return redirect(address(destination_id, MAPPING), "saved" if plan.changes_something else "unchanged")


async def _show(
    services: Services,
    request: Request,
    configuration: Configuration,
    destination_id: str,
    form: MappingForm,
    problems: Problems | None = None,
    *,
    previewed: bool = False,
) -> Response:
    return render(
        request,
        "mapping.html",
        status=422 if problems else 200,
        **frame_of(configuration, destination_id, MAPPING),
        **await _form_values(services, configuration, destination_id, form, problems or {}, previewed=previewed),
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
        "form": form,
        "stale_schedules": stale_schedules_of(form.dataflow, services.clock() // MILLISECOND),
        "choices": mapping.choices(configuration, form.dataflow),
        "problems": problems,
        "verdict": verdict,
        "removals": removed,
        "previewed": previewed,
    }
