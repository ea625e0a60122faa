"""How destinations are connected: looked at first, then kept; their keys are taken and never given back."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from shared.domain.configuration.model import Configuration, Destination
from shared.domain.instants import SECOND, format_instant
from shared.errors import ConfigurationError
from shared.services.destinations.connect import ConnectionReport, ConnectionRequest
from shared.services.wiring import Services
from shared.web.api.models.connections import (
    AppSetting,
    ConnectionCheck,
    ConnectionReportView,
    EgressAddressesView,
    GivenConnection,
    NewDestination,
    NewKey,
    RotatedView,
    credentials_of,
)
from shared.web.api.models.views import DestinationResource
from shared.web.api.resources import put_entry, tagged
from shared.web.api.routes.destinations import Id, destination_resource, find_destination
from shared.web.context import AppServices
from shared.web.etags import check_preconditions, etag_of
from shared.web.guarded import GuardedRoute, needs, note
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

router = APIRouter(prefix="/api", tags=["connections"], route_class=GuardedRoute)

Force = Annotated[bool, Query(description="Keep it even if the hub cannot be reached, or not be sent to, just now")]


@router.post("/connections/check", summary="Check a connection", openapi_extra=needs(Permission.MANAGE_DESTINATIONS))
async def check_connection(services: AppServices, given: ConnectionCheck) -> ConnectionReportView:
    """Whether events could be sent to the hub, and which hubs the namespace has. Nothing is sent, nothing is kept."""
    credentials, hub = credentials_of(given.connection, services.connect_destinations, given.event_hub_name)
    return ConnectionReportView.of(await services.connect_destinations.check(ConnectionRequest(credentials, hub)))


@router.get(
    "/egress-addresses",
    summary="List the addresses that hubs are reached from",
    openapi_extra=needs(Permission.MANAGE_DESTINATIONS),
)
async def list_egress_addresses(services: AppServices) -> EgressAddressesView:
    """For the firewall of a destination's namespace. Without static egress there are none to allow."""
    return EgressAddressesView(addresses=list(services.connect_destinations.egress_addresses))


@router.post(
    "/destinations",
    summary="Connect a destination",
    status_code=201,
    openapi_extra=needs(Permission.MANAGE_DESTINATIONS),
)
async def connect_destination(
    services: AppServices, request: Request, response: Response, given: NewDestination, force: Force = False
) -> DestinationResource:
    """The connection is checked, its key kept, the destination added. Of one that fails nothing is kept, unless
    `force`. Nothing is exported to it before it has a dataflow.
    """
    taken = ProblemError(
        409, f"there is a destination {given.id!r} already: PUT /api/destinations/{given.id} changes it"
    )
    if any(each.id == given.id for each in (await services.edit_configuration.load()).destinations):
        raise taken
    details = given.model_dump(exclude={"connection", "event_hub_name"})
    connected, report = await _connected(services, given.connection, given.id, given.event_hub_name, force=force)

    def added(before: Destination | None) -> Destination:
        if before is not None:
            raise taken
        return Destination(**details | connected)

    configuration, _ = await put_entry(services, request, "destinations", lambda entry: entry.id == given.id, added)
    response.headers["Location"] = f"/api/destinations/{given.id}"
    return await _shown(services, request, response, configuration, given.id, report)


@router.put(
    "/destinations/{destination_id}/connection",
    summary="Connect a destination otherwise",
    openapi_extra=needs(Permission.MANAGE_DESTINATIONS, preconditions=True),
)
async def put_connection(
    services: AppServices,
    request: Request,
    response: Response,
    destination_id: Id,
    given: GivenConnection,
    force: Force = False,
) -> DestinationResource:
    """To the same hub in another way. It is checked first; workers follow within `CONFIG_CACHE_SECONDS`."""
    current = find_destination(await services.edit_configuration.load(), destination_id)
    check_preconditions(request, etag_of(current))
    connected, report = await _connected(services, given, destination_id, current.event_hub_name, force=force)
    configuration = await _reconnect(services, request, destination_id, connected)
    return await _shown(services, request, response, configuration, destination_id, report)


@router.post(
    "/destinations/{destination_id}/connection/rotate",
    summary="Rotate a destination's key",
    openapi_extra=needs(Permission.MANAGE_DESTINATIONS, preconditions=True),
)
async def rotate_key(
    services: AppServices, request: Request, response: Response, destination_id: Id, given: NewKey, force: Force = False
) -> RotatedView:
    """The new key is checked and kept, and workers go over to it; the old one is needed until `oldKeyNeededUntil`."""
    current = find_destination(await services.edit_configuration.load(), destination_id)
    check_preconditions(request, etag_of(current))
    key = given.key.get_secret_value()
    rotated = await services.connect_destinations.rotate(current, key, key_name=given.key_name, force=force)
    connected: dict[str, object] = {"authentication": rotated.authentication}
    configuration = await _reconnect(services, request, destination_id, connected)
    until = services.clock() + int(rotated.old_key_needed * SECOND)
    shown = await _shown(services, request, response, configuration, destination_id, rotated.report)
    return RotatedView(destination=shown, old_key_needed_until=format_instant(until))


async def _connected(
    services: Services, given: GivenConnection, destination_id: str, event_hub_name: str | None, *, force: bool
) -> tuple[dict[str, object], ConnectionReport]:
    """The members of the destination that say how it is connected, once that was checked and kept."""
    service = services.connect_destinations
    credentials, hub = credentials_of(given, service, event_hub_name)
    if hub is None:
        hubs = (await service.check(ConnectionRequest(credentials))).hubs
        there_are = f"; there are {', '.join(hubs)}" if hubs else ""
        raise ConfigurationError(f"/eventHubName: expected the name of an Event Hub{there_are}")
    if isinstance(given, AppSetting):
        report = await service.require(ConnectionRequest(credentials, hub), force=force)
        return {"event_hub_name": hub, "connection": given.setting, "authentication": None}, report
    connected = await service.connect(destination_id, credentials, hub, force=force)
    return {"event_hub_name": hub, "authentication": connected.authentication}, connected.report


async def _reconnect(
    services: Services, request: Request, destination_id: str, connected: dict[str, object]
) -> Configuration:
    def changed(before: Destination | None) -> Destination:
        if before is None:
            raise ProblemError(404, "the destination was removed meanwhile")
        return before.model_copy(update=connected)

    configuration, _ = await put_entry(
        services, request, "destinations", lambda entry: entry.id == destination_id, changed
    )
    return configuration


async def _shown(
    services: Services,
    request: Request,
    response: Response,
    configuration: Configuration,
    destination_id: str,
    report: ConnectionReport,
) -> DestinationResource:
    destination = find_destination(configuration, destination_id)
    tagged(response, destination)
    shown = destination_resource(destination, configuration, await services.health.load())
    if report.problem is not None:
        note(request, f"forced in spite of {report.problem.kind}")
        shown.warnings.append(report.problem.message)
    return shown
