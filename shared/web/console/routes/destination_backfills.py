"""A destination's backfills, and the form by which its members are exported again."""

import secrets
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from shared.domain.messages.resync_item import ResyncRequest
from shared.errors import ConfigurationError, ResyncRefusedError
from shared.services.wiring import Services
from shared.views.backfills import BackfillView
from shared.web.console.destination_page import BACKFILLS, PATH, address, frame_of
from shared.web.console.forms import Form, Submitted
from shared.web.console.mapping import typed_audience
from shared.web.console.pages import PageRoute, page, redirect, render
from shared.web.console.problems_by_field import Problems, problems_of
from shared.web.context import AppServices
from shared.web.guarded import note
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission

router = APIRouter(prefix=f"{PATH}/{{destination_id}}", route_class=PageRoute)

_SHOWN = 10
_TEXTS = ("resync_audience", "resync_since", "resync_profiles", "resync_first", "resync_last")
_FIELDS = {
    "scope": "resync_scope",
    "scope/id": "resync_audience",
    "scope/namespace": "resync_audience",
    "scope/since": "resync_since",
    "scope/profileIds": "resync_profiles",
    "scope/first": "resync_first",
    "scope/last": "resync_last",
    "ifRunning": "resync_if_running",
}
_HEXADECIMAL = "use the digits 0 to 9 and a to f, at most 64 of them"
_PLAIN = {"resync_first": _HEXADECIMAL, "resync_last": _HEXADECIMAL}


@router.get("/backfills", **page(*BACKFILLS.permissions))
async def show_backfills(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    # Of this very page: a form that is sent twice asks for one resync.
    form = Form({"resync_key": [secrets.token_hex(16)]})
    return await _show(services, request, destination_id, form, Problems())


async def _show(services: Services, request: Request, destination_id: str, form: Form, problems: Problems) -> Response:
    configuration = await services.edit_configuration.load()
    frame = frame_of(configuration, destination_id, BACKFILLS)
    latest = await services.backfill_statuses.all(destination_id, most=_SHOWN, configuration=configuration)
    backfills = [BackfillView.of(status) for status in reversed(latest)]
    return render(
        request,
        "destination_backfills.html",
        status=problems.status if problems else 200,
        **frame,
        backfills=backfills,
        under_way=any(each.finished_at is None for each in backfills),
        problems=problems,
        values={name: form.raw(name) for name in _TEXTS}
        | {
            "resync_scope": form.text("resync_scope") or "everything",
            "resync_if_running": form.text("resync_if_running") or "refuse",
        },
        resync_key=form.text("resync_key"),
        now=services.clock(),
    )


@router.post("/resync", **page(*Permission))
async def resync(services: AppServices, request: Request, destination_id: DestinationId, form: Submitted) -> Response:
    try:
        asked = ResyncRequest.model_validate(
            {
                "scope": _scope_of(form),
                "ifRunning": form.text("resync_if_running") or "refuse",
                "idempotencyKey": form.text("resync_key") or None,
            }
        )
        requested = await services.resyncs.request(destination_id, asked)
    except (ValidationError, ConfigurationError, ResyncRefusedError) as error:
        problems = problems_of(error, _FIELDS, _PLAIN)
        problems.status = 409 if isinstance(error, ResyncRefusedError) else problems.status
        return await _show(services, request, destination_id, form, problems)
    note(request, f"resync {requested.backfill.id} {'requested' if requested.created else 'known'}")
    return redirect(address(destination_id, BACKFILLS), "resync" if requested.created else "resync-known")


def _scope_of(form: Form) -> dict[str, Any]:
    """As the API takes it; what belongs to another scope is left out."""
    kind = form.text("resync_scope")
    if kind == "audience":
        namespace, audience_id = typed_audience(form.text("resync_audience"))
        return {"type": kind, "namespace": namespace, "id": audience_id}
    members: dict[str, dict[str, Any]] = {
        "profiles": {"profileIds": form.lines("resync_profiles")},
        "saved-since": {"since": form.text("resync_since")},
        "key-range": {"first": form.text("resync_first"), "last": form.text("resync_last")},
    }
    return {"type": kind, **members.get(kind, {})}
