"""Why was this profile exported, or not? Answered by a dry run: nothing is saved or sent."""

from typing import Any

from fastapi import APIRouter, Request, Response

from shared.domain.jsonvalue import MAX_DEPTH, InvalidJsonError, deeper_than, parse_json
from shared.domain.messages.message import refuse_lone_surrogates
from shared.domain.profile.change import MAX_PROFILE_ID_LENGTH, InvalidChangeError
from shared.views.profiles import DryRunView, ProfileDocument
from shared.web.console import pages
from shared.web.console.forms import Submitted
from shared.web.console.pages import PREFIX, PageRoute, page, render
from shared.web.console.problems_by_field import Problems
from shared.web.context import AppServices
from shared.web.permissions import Permission

router = APIRouter(prefix=f"{PREFIX}/why", route_class=PageRoute)

_ASK = page(Permission.VIEW_PROFILES, Permission.VIEW_SEGMENTS)


@router.get("", **_ASK)
async def show_question(request: Request) -> Response:
    return render(
        request, "why.html", profile_id="", change="", problems={}, answer=None, view=None, names={}, read={}, now=0
    )


@router.post("", **_ASK)
async def explain(services: AppServices, request: Request, form: Submitted) -> Response:
    """A profile id is personal, so it is sent in the body and is in no address."""
    profile_id, text = form.raw("profile_id"), form.text("change")
    problems: Problems = {}
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
    answer, view, names = None, None, {}
    read: dict[str, dict[str, int]] | str = {}
    if not problems:
        dry_run = await services.explain_profile.dry_run(change, profile_id)
        known = await services.explain_profile.look_up(profile_id)
        read = await pages.known(services.consumer_lags.read_until(profile_id))
        answer, view = DryRunView.of(dry_run), ProfileDocument.of(known) if known else None
        if Permission.MANAGE_DESTINATIONS in request.state.principal.permissions:
            names = {each.id: each.name for each in (await services.edit_configuration.load()).destinations}
        if dry_run.problems:
            problems["change"] = dry_run.problems
    return render(
        request,
        "why.html",
        status=422 if problems else 200,
        profile_id=profile_id,
        change=form.raw("change"),
        problems=problems,
        answer=answer,
        view=view,
        names=names,
        read=read if isinstance(read, dict) else {},
        now=services.clock(),
    )
