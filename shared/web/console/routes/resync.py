"""The form by which a dataflow's members are exported again."""

from typing import Any

from fastapi import APIRouter, Request, Response

from shared.domain.messages.resync_item import ResyncRequest
from shared.web.console.forms import Form, Submitted
from shared.web.console.mapping import typed_audience
from shared.web.console.pages import PREFIX, PageRoute, page, redirect
from shared.web.context import AppServices
from shared.web.guarded import note
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission

router = APIRouter(prefix=f"{PREFIX}/destinations/{{destination_id}}/resync", route_class=PageRoute)


@router.post("", **page(*Permission))
async def resync(services: AppServices, request: Request, destination_id: DestinationId, form: Submitted) -> Response:
    asked = ResyncRequest.model_validate(
        {
            "scope": _scope_of(form),
            "ifRunning": form.text("resync_if_running") or "refuse",
            "idempotencyKey": form.text("resync_key") or None,
        }
    )
    requested = await services.resyncs.request(destination_id, asked)
    note(request, f"resync {requested.backfill.id} {'requested' if requested.created else 'known'}")
    return redirect(f"{PREFIX}/destinations/{destination_id}", "resync" if requested.created else "resync-known")


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
