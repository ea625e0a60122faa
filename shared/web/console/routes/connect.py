"""The form that connects a destination: tried first, then kept. A key that was typed is never shown again."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from shared.domain.problems import describe_problems
from shared.errors import ConfigurationError, ConnectionFailedError, SecretError
from shared.services.connect_destinations import ConnectionRequest
from shared.services.wiring import Services
from shared.web.connection_models import ConnectionCheck, ConnectionReportView, NewDestination, credentials_of
from shared.web.console.forms import Form, Submitted
from shared.web.console.pages import PREFIX, PageRoute, page, redirect, render
from shared.web.console.problems_by_field import Problems, by_field
from shared.web.context import Relay
from shared.web.permissions import Permission
from shared.web.problems import ProblemError
from shared.web.routes.connections import connect_destination

router = APIRouter(prefix=f"{PREFIX}/destinations", route_class=PageRoute)

WAYS = ("standard", "sas", "connection-string", "managed-identity", "app-setting")
_SECRETS = frozenset({"key", "connection_string"})
_TEXTS = (
    *("id", "name", "description", "event_hub_name", "way", "key_name", "key", "namespace"),
    *("connection_string", "client_id", "setting"),
)
_FLAGS = ("include_segment_names", "include_segment_timestamps")
_FIELDS = {
    "id": "id",
    "name": "name",
    "description": "description",
    "eventHubName": "event_hub_name",
    "connection": "way",
    "connection/namespace": "namespace",
    "connection/keyName": "key_name",
    "connection/key": "key",
    "connection/connectionString": "connection_string",
    "connection/clientId": "client_id",
    "connection/setting": "setting",
}
_FIELD_OF_KIND = {
    "unknown-host": "namespace",
    "unknown-hub": "event_hub_name",
    "bad-key": "key",
    "no-identity": "client_id",
}
_MEMBERS = {
    "sas": {"namespace": "namespace", "keyName": "key_name", "key": "key"},
    "connection-string": {"connectionString": "connection_string"},
    "managed-identity": {"namespace": "namespace", "clientId": "client_id"},
    "app-setting": {"setting": "setting"},
}
"""What each kind of connection is made of: member -> field."""


@router.get("/new", **page(Permission.MANAGE_DESTINATIONS))
async def show_form(relay: Relay, request: Request) -> Response:
    empty = Form(
        {"way": [WAYS[0] if relay.connect_destinations.keeps_keys else "app-setting"], "setting": ["EVENTHUBS"]}
    )
    return _form(relay, request, empty, {})


@router.post("/check", **page(Permission.MANAGE_DESTINATIONS))
async def check(relay: Relay, request: Request, form: Submitted) -> Response:
    """Whether events could be sent; nothing is sent or kept. The keys have to be typed again after it."""
    try:
        given = ConnectionCheck.model_validate(
            {"connection": _connection(form), "eventHubName": form.text("event_hub_name") or None}
        )
        credentials, hub = credentials_of(given.connection, relay.connect_destinations, given.event_hub_name)
        report = await relay.connect_destinations.check(ConnectionRequest(credentials, hub))
    except (ValidationError, ConfigurationError) as error:
        return _form(relay, request, form, _problems(error, form), status=422)
    return _form(relay, request, form, {}, report=ConnectionReportView.of(report))


@router.post("", **page(Permission.MANAGE_DESTINATIONS))
async def connect(relay: Relay, request: Request, form: Submitted) -> Response:
    document = {name: form.text(name) for name in ("id", "name", "description")} | {
        "eventHubName": form.text("event_hub_name") or None,
        "includeSegmentNames": form.checked("include_segment_names"),
        "includeSegmentTimestamps": form.checked("include_segment_timestamps"),
        "connection": _connection(form),
    }
    try:
        given = NewDestination.model_validate(document)
        await connect_destination(relay, request, Response(), given, force=form.checked("force"))
    except (ValidationError, ConfigurationError, ConnectionFailedError, SecretError) as error:
        return _form(relay, request, form, _problems(error, form), status=422)
    except ProblemError as error:
        if error.status != 409:
            raise
        problems = {"id": [f"there is a destination {given.id!r} already: choose another id"]}
        return _form(relay, request, form, problems, status=409)
    return redirect(f"{PREFIX}/destinations/{given.id}", "connected")


def _connection(form: Form) -> dict[str, Any]:
    way = form.text("way")
    kind = "sas" if way == "standard" else way
    values = {member: form.text(field) for member, field in _MEMBERS.get(kind, {}).items()}
    if not values.get("clientId", "given"):
        del values["clientId"]
    return {"type": kind} | values


def _problems(error: Exception, form: Form) -> Problems:
    if isinstance(error, ConnectionFailedError):
        field = _FIELD_OF_KIND.get(error.kind, "way")
        if form.text("way") in {"connection-string", "app-setting"} and field != "event_hub_name":
            field = "connection_string" if form.text("way") == "connection-string" else "setting"
        return {field: [str(error)], "": ["the connection does not work, so nothing was kept"]}
    if isinstance(error, ValidationError):
        return by_field([_without_kind(line) for line in describe_problems(error)], _FIELDS)
    return by_field(str(error).splitlines(), _FIELDS)


def _without_kind(line: str) -> str:
    """pydantic puts the type that it took the connection for behind it."""
    for kind in _MEMBERS:
        line = line.replace(f"/connection/{kind}/", "/connection/", 1)
    return line


def _form(
    relay: Services,
    request: Request,
    form: Form,
    problems: Problems,
    *,
    report: ConnectionReportView | None = None,
    status: int = 200,
) -> Response:
    values = {name: "" if name in _SECRETS else form.text(name) for name in _TEXTS}
    return render(
        request,
        "connect.html",
        status=status,
        values=values | {name: form.checked(name) for name in _FLAGS},
        problems=problems,
        report=report,
        keeps_keys=relay.connect_destinations.keeps_keys,
        egress_addresses=relay.connect_destinations.egress_addresses,
        retyped=any(form.raw(name) for name in _SECRETS),
    )
