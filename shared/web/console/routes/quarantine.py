"""What could not be taken: shown, put back on the queue, dropped."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from shared.domain.jsonvalue import InvalidJsonError, parse_json
from shared.domain.profile.change import InvalidChangeError
from shared.errors import QUARANTINE_CODES, NotInQuarantineError
from shared.services.wiring import Services
from shared.views.quarantine import QuarantinedView
from shared.web.console.alike import groups_of
from shared.web.console.forms import Submitted
from shared.web.console.pages import PREFIX, PageRoute, page, redirect, render
from shared.web.console.problems_by_field import Problems
from shared.web.context import AppServices
from shared.web.guarded import note
from shared.web.parameters import RowId, Token
from shared.web.permissions import Permission

PATH = f"{PREFIX}/quarantine"
router = APIRouter(prefix=PATH, route_class=PageRoute)

_SEE = page(Permission.VIEW_PROFILES)
_CHANGE = page(Permission.MANAGE_DESTINATIONS, Permission.VIEW_PROFILES)
_ROWS = 50
_SHOWN = 20_000
"""Of a body, so many characters; the whole of it can be downloaded."""


@router.get("", **_SEE)
async def show_quarantine(
    services: AppServices,
    request: Request,
    reason: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(pattern="^[a-z-]*$", max_length=40)] = "",
    token: Token = None,
) -> Response:
    listed = await services.replay_quarantined.page(reason or None, token, _ROWS, code or None)
    return render(
        request,
        "quarantine.html",
        groups=groups_of(listed.entries),
        next=listed.next,
        paged=bool(token or listed.next),
        reason=reason,
        code=code,
        codes=QUARANTINE_CODES,
        now=services.clock(),
    )


@router.post("/selected", **_CHANGE)
async def handle_selected(services: AppServices, request: Request, form: Submitted) -> Response:
    """Replay or drop the rows that were checked: asked first, and done when that is confirmed."""
    action, _, whole_group = form.text("action").partition(" ")
    row_ids = [row_id for row_id in form.all("all" if whole_group else "row") if row_id][:_ROWS]
    if not row_ids or action not in {"replay", "drop"}:
        return redirect(PATH, "unchanged")
    if not form.checked("confirmed"):
        return render(request, "confirm_quarantine.html", row_ids=row_ids, action=action)
    if action == "drop":
        dropped = 0
        for row_id in row_ids:
            with suppress(NotInQuarantineError):  # somebody else was faster
                await services.replay_quarantined.drop(row_id)
                dropped += 1
        note(request, f"{dropped} quarantined items dropped")
        return redirect(PATH, "dropped")
    outcomes = [replayed async for replayed in services.replay_quarantined.replay(row_ids)]
    kept = [replayed for replayed in outcomes if replayed.problem is not None]
    note(request, f"{len(outcomes) - len(kept)} quarantined items replayed, {len(kept)} kept")
    if kept:
        return render(request, "replayed.html", status=409, done=len(outcomes) - len(kept), kept=kept)
    return redirect(PATH, "replayed")


@router.get("/{row_id}", **_SEE)
async def show_quarantined(services: AppServices, request: Request, row_id: RowId) -> Response:
    return await _show(services, request, row_id)


@router.post("/{row_id}/replay", **_CHANGE)
async def replay(services: AppServices, request: Request, row_id: RowId) -> Response:
    await services.replay_quarantined.replay_one(row_id)
    note(request, f"quarantine {row_id} replayed")
    return redirect(PATH, "replayed")


@router.post("/{row_id}/edit", **_CHANGE)
async def replay_edited(services: AppServices, request: Request, row_id: RowId, form: Submitted) -> Response:
    """What still cannot be understood stays in the form, with the reason, and the item where it is."""
    body = form.raw("body").replace("\r\n", "\n")
    try:
        await services.replay_quarantined.replay_edited(row_id, body.encode(), services.clock())
    except InvalidChangeError as error:
        return await _show(services, request, row_id, edited=body, problems=Problems({"body": error.problems}))
    note(request, f"quarantine {row_id} replayed, edited")
    return redirect(PATH, "replayed")


async def _show(
    services: Services,
    request: Request,
    row_id: str,
    *,
    edited: str | None = None,
    problems: Problems | None = None,
) -> Response:
    item = QuarantinedView.of(await services.replay_quarantined.get(row_id))
    body = item.body if item.body is not None else item.body_base64 or ""
    cut = len(body) > _SHOWN
    return render(
        request,
        "quarantined.html",
        status=422 if problems else 200,
        item=item,
        profile_id=_profile_of(item.body),
        body=body[:_SHOWN],
        cut=cut,
        editable=item.body is not None and not cut,
        edited=body if edited is None else edited,
        problems=problems or Problems(),
        now=services.clock(),
    )


def _profile_of(body: str | None) -> str | None:
    """The profile that the item names, if it can be told: only a hash of it is stored beside the item."""
    try:
        document = parse_json(body or "")
    except InvalidJsonError:
        return None
    named = document.get("profileId") if isinstance(document, dict) else None
    return named if isinstance(named, str) else None


@router.post("/{row_id}/drop", **_CHANGE)
async def drop(services: AppServices, request: Request, row_id: RowId, form: Submitted) -> Response:
    """For good, so it is asked first."""
    if not form.checked("confirmed"):
        await services.replay_quarantined.get(row_id)
        return render(request, "confirm_quarantine.html", row_ids=[row_id], action="drop")
    await services.replay_quarantined.drop(row_id)
    note(request, f"quarantine {row_id} dropped")
    return redirect(PATH, "dropped")
