"""Why was this profile exported, or not? What happened, and by a dry run what would: nothing is saved or sent."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from shared.domain.configuration.model import Configuration
from shared.domain.jsonvalue import MAX_DEPTH, InvalidJsonError, deeper_than, parse_json
from shared.domain.messages.message import refuse_lone_surrogates
from shared.domain.profile.change import MAX_PROFILE_ID_LENGTH, InvalidChangeError
from shared.services.wiring import Services
from shared.views.explained import explained
from shared.views.profiles import DryRunView, ProfileDocument
from shared.web.console import pages
from shared.web.console.forms import Submitted
from shared.web.console.pages import PREFIX, PageRoute, page, render
from shared.web.console.problems_by_field import Problems
from shared.web.console.told_alike import foreseen_alike, past_alike
from shared.web.context import AppServices
from shared.web.permissions import Permission

router = APIRouter(prefix=f"{PREFIX}/why", route_class=PageRoute)

_UNANSWERED: dict[str, Any] = {
    "profile_id": "",
    "change": "",
    "view": None,
    "explained": None,
    "past": (),
    "foreseen": (),
    "read": {},
}
_ASK = page(Permission.VIEW_PROFILES, Permission.VIEW_SEGMENTS)


@router.get("", **_ASK)
async def show_question(
    services: AppServices,
    request: Request,
    destination: Annotated[str, Query(pattern=r"^([a-z0-9][a-z0-9-]{0,62})?$")] = "",
) -> Response:
    return _show(request, services, await services.edit_configuration.load(), only=destination)


@router.post("", **_ASK)
async def explain(services: AppServices, request: Request, form: Submitted) -> Response:
    """A profile id is personal, so it is sent in the body and is in no address."""
    profile_id, text, only = form.raw("profile_id"), form.text("change"), form.text("destination")
    problems = Problems()
    change: Any = None
    if not 0 < len(profile_id) <= MAX_PROFILE_ID_LENGTH:
        problems["profile_id"] = [f"expected a profile id of 1 to {MAX_PROFILE_ID_LENGTH:,} characters"]
    if text:
        try:
            change = parse_json(text)
            if deeper_than(change, MAX_DEPTH):
                problems["change"] = [f"expected at most {MAX_DEPTH} levels of nesting"]
            else:
                refuse_lone_surrogates(change)
        except (InvalidJsonError, InvalidChangeError) as error:
            problems["change"] = [str(error)]
    configuration = await services.edit_configuration.load()
    asked = {"profile_id": profile_id, "change": form.raw("change"), "only": only}
    if problems:
        return _show(request, services, configuration, **asked, problems=problems)
    answer = await services.explain_profile.explain(change, profile_id)
    if answer.foreseen.problems:
        problems["change"] = answer.foreseen.problems
    view = ProfileDocument.of(answer.profile) if answer.profile else None
    told = explained(view, DryRunView.of(answer.foreseen), configuration, only)
    known = await pages.known(services.consumer_lags.read_until(profile_id))
    read = known if isinstance(known, dict) else {}
    return _show(
        request,
        services,
        configuration,
        **asked,
        problems=problems,
        view=view,
        explained=told,
        past=past_alike(told.past, read),
        foreseen=foreseen_alike(told.foreseen),
        read=read,
    )


def _show(
    request: Request,
    services: Services,
    configuration: Configuration,
    *,
    only: str,
    problems: Problems | None = None,
    **values: Any,
) -> Response:
    return render(
        request,
        "why.html",
        status=422 if problems else 200,
        destinations={each.id: each.name for each in configuration.destinations},
        only=only,
        problems=problems or Problems(),
        now=services.clock(),
        **{"profile_id": "", "change": "", "view": None, "explained": None, "past": [], "foreseen": [], "read": {}}
        | values,
    )
