"""How destinations are connected: looked at first, then kept; their keys are taken and never given back."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from shared.domain.configuration.given_connection import ConnectionCheck, GivenConnection, NewDestination, NewKey
from shared.domain.instants import SECOND
from shared.services.destinations.manage import ConnectedDestination
from shared.services.wiring import Services
from shared.views.configuration import DestinationResource
from shared.views.connections import ConnectionReportView, EgressAddressesView, RotatedView
from shared.web.context import AppServices
from shared.web.etags import if_matching, tagged
from shared.web.guarded import GuardedRoute, needs, note
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission

router = APIRouter(prefix="/api", tags=["connections"], route_class=GuardedRoute)

Force = Annotated[bool, Query(description="Keep it even if the hub cannot be reached, or not be sent to, just now")]


@router.post("/connections/check", summary="Check a connection", openapi_extra=needs(Permission.MANAGE_DESTINATIONS))
async def check_connection(services: AppServices, given: ConnectionCheck) -> ConnectionReportView:
    """Whether events could be sent to the hub, and which hubs the namespace has. Nothing is sent, nothing is kept."""
    report = await services.connect_destinations.check(given.connection, given.event_hub_name)
    return ConnectionReportView.model_validate(report)


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
    connected = await services.destinations.connect(given, force=force)
    response.headers["Location"] = f"/api/destinations/{given.id}"
    return await _shown(services, request, response, connected)


@router.put(
    "/destinations/{destination_id}/connection",
    summary="Connect a destination otherwise",
    openapi_extra=needs(Permission.MANAGE_DESTINATIONS, preconditions=True),
)
async def put_connection(
    services: AppServices,
    request: Request,
    response: Response,
    destination_id: DestinationId,
    given: GivenConnection,
    force: Force = False,
) -> DestinationResource:
    """To the same hub in another way. It is checked first; workers follow within `CONFIG_CACHE_SECONDS`."""
    connected = await services.destinations.reconnect(destination_id, given, if_matching(request), force=force)
    return await _shown(services, request, response, connected)


@router.post(
    "/destinations/{destination_id}/connection/rotate",
    summary="Rotate a destination's key",
    openapi_extra=needs(Permission.MANAGE_DESTINATIONS, preconditions=True),
)
async def rotate_key(
    services: AppServices,
    request: Request,
    response: Response,
    destination_id: DestinationId,
    given: NewKey,
    force: Force = False,
) -> RotatedView:
    """The new key is checked and kept, and workers go over to it; the old one is needed until `oldKeyNeededUntil`."""
    rotated = await services.destinations.rotate(destination_id, given, if_matching(request), force=force)
    until = services.clock() + int(services.connect_destinations.old_key_needed * SECOND)
    shown = await _shown(services, request, response, rotated)
    return RotatedView(destination=shown, old_key_needed_until=until)


async def _shown(
    services: Services, request: Request, response: Response, connected: ConnectedDestination
) -> DestinationResource:
    note(request, *connected.summary)
    configuration = connected.plan.configuration
    destination = configuration.destination(connected.id)
    tagged(response, destination)
    shown = DestinationResource.of(destination, configuration, await services.health.load())
    if connected.report.problem is not None:
        shown.warnings.append(connected.report.problem.message)
    return shown
