"""Destinations: what is shown of them, their details, their removal. Connecting is in `connections`."""

from fastapi import APIRouter, Request, Response

from shared.domain.configuration.plan import warnings_about
from shared.domain.exports.contract.contract import contract_of
from shared.views.configuration import DestinationList, DestinationResource
from shared.views.contract import ContractView
from shared.web.context import AppServices
from shared.web.etags import if_matching, tagged
from shared.web.guarded import GuardedRoute, needs, note
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

router = APIRouter(prefix="/api/destinations", tags=["destinations"], route_class=GuardedRoute)


@router.get("", summary="List the destinations", openapi_extra=needs(Permission.MANAGE_DESTINATIONS))
async def list_destinations(services: AppServices) -> DestinationList:
    configuration = await services.edit_configuration.load()
    troubles = await services.health.load()
    return DestinationList(
        destinations=[DestinationResource.of(each, configuration, troubles) for each in configuration.destinations],
        warnings=warnings_about(configuration),
    )


@router.get("/{destination_id}", summary="Get a destination", openapi_extra=needs(Permission.MANAGE_DESTINATIONS))
async def get_destination(
    services: AppServices, response: Response, destination_id: DestinationId
) -> DestinationResource:
    configuration = await services.edit_configuration.load()
    destination = configuration.destination(destination_id)
    tagged(response, destination)
    return DestinationResource.of(destination, configuration, await services.health.load())


@router.get(
    "/{destination_id}/contract",
    summary="Get the contract with a destination's consumers",
    openapi_extra=needs(Permission.VIEW_SEGMENTS),
)
async def get_contract(services: AppServices, response: Response, destination_id: DestinationId) -> ContractView:
    """Schemas of body and properties, an AsyncAPI document, and what each kind of reader pastes: made from the mapping
    and from what exports hold, and the same until one of them changes.
    """
    contract = ContractView.of(contract_of(await services.edit_configuration.load(), destination_id))
    tagged(response, contract)
    return contract


@router.put(
    "/{destination_id}",
    summary="Change a destination's details",
    openapi_extra=needs(Permission.MANAGE_DESTINATIONS, preconditions=True),
)
async def put_destination(
    services: AppServices,
    request: Request,
    response: Response,
    destination_id: DestinationId,
    written: DestinationResource,
) -> DestinationResource:
    """Name, description, event hub and what exports hold. How it is connected may be repeated but not changed here."""
    if written.id not in {"", destination_id}:
        raise ProblemError(422, "/id: expected the id in the path, or none")
    plan = await services.destinations.change_details(destination_id, written, if_matching(request))
    note(request, *plan.summary)
    destination = plan.configuration.destination(destination_id)
    tagged(response, destination)
    return DestinationResource.of(destination, plan.configuration, await services.health.load())


@router.delete(
    "/{destination_id}",
    summary="Remove a destination with its dataflow",
    status_code=204,
    openapi_extra=needs(Permission.MANAGE_DESTINATIONS, preconditions=True),
)
async def delete_destination(services: AppServices, request: Request, destination_id: DestinationId) -> None:
    """Nothing more is exported to it, what waits for it is dropped, and its key is deleted."""
    removed = await services.destinations.remove(destination_id, if_matching(request))
    note(request, *removed.summary)
