"""Destinations: what is shown of them, their details, their removal. Connecting is in `connections`."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from shared.domain.configuration.model import Configuration, ConfigurationFile, Destination
from shared.domain.configuration.plan import warnings_about
from shared.domain.instants import format_instant
from shared.errors import SecretError
from shared.ports.health import DestinationTrouble
from shared.services.configuration.edit import as_file
from shared.services.wiring import Services
from shared.web.api.models.views import DestinationHealth, DestinationList, DestinationResource
from shared.web.api.resources import delete_entries, find, put_entry, tagged
from shared.web.context import AppServices
from shared.web.etags import check_preconditions, etag_of
from shared.web.guarded import GuardedRoute, needs, note
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

router = APIRouter(prefix="/api/destinations", tags=["destinations"], route_class=GuardedRoute)

Id = Annotated[str, Path(description="The destination's id", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
_CONNECTED_ELSEWHERE = ("connection", "authentication")
"""Members that are verified when they are set, so they are not changed with the details."""


@router.get("", summary="List the destinations", openapi_extra=needs(Permission.MANAGE_DESTINATIONS))
async def list_destinations(services: AppServices) -> DestinationList:
    configuration = await services.edit_configuration.load()
    troubles = await services.health.load()
    return DestinationList(
        destinations=[destination_resource(each, configuration, troubles) for each in configuration.destinations],
        warnings=warnings_about(configuration),
    )


@router.get("/{destination_id}", summary="Get a destination", openapi_extra=needs(Permission.MANAGE_DESTINATIONS))
async def get_destination(services: AppServices, response: Response, destination_id: Id) -> DestinationResource:
    configuration = await services.edit_configuration.load()
    destination = find_destination(configuration, destination_id)
    tagged(response, destination)
    return destination_resource(destination, configuration, await services.health.load())


@router.put(
    "/{destination_id}",
    summary="Change a destination's details",
    openapi_extra=needs(Permission.MANAGE_DESTINATIONS, preconditions=True),
)
async def put_destination(
    services: AppServices, request: Request, response: Response, destination_id: Id, written: DestinationResource
) -> DestinationResource:
    """Name, description, event hub and the two toggles. How it is connected may be repeated but not changed here."""
    if written.id not in {"", destination_id}:
        raise ProblemError(422, "/id: expected the id in the path, or none")

    def changed(before: Destination | None) -> Destination:
        if before is None:
            raise ProblemError(
                404, f"there is no destination {destination_id!r} to change: POST /api/destinations connects one"
            )
        for name in _CONNECTED_ELSEWHERE:
            if name in written.model_fields_set and getattr(written, name) != getattr(before, name):
                raise ProblemError(
                    422, f"/{name}: expected it as it is: PUT /api/destinations/{destination_id}/connection changes it"
                )
        kept = {"id": destination_id} | {name: getattr(before, name) for name in _CONNECTED_ELSEWHERE}
        return Destination(**written.model_dump(include=set(Destination.model_fields) - kept.keys()) | kept)

    configuration, _ = await put_entry(
        services, request, "destinations", lambda entry: entry.id == destination_id, changed
    )
    destination = find_destination(configuration, destination_id)
    tagged(response, destination)
    return destination_resource(destination, configuration, await services.health.load())


@router.delete(
    "/{destination_id}",
    summary="Remove a destination with its dataflow",
    status_code=204,
    openapi_extra=needs(Permission.MANAGE_DESTINATIONS, preconditions=True),
)
async def delete_destination(services: AppServices, request: Request, destination_id: Id) -> None:
    """Nothing more is exported to it, what waits for it is dropped, and its key is deleted."""
    await remove_destination(services, request, destination_id)


async def remove_destination(services: Services, request: Request, destination_id: str) -> bool:
    """The same; whether its key went, too, if it had one of its own.

    Raises ProblemError (404, 412), ConflictError, StorageError.
    """
    removed: Destination | None = None
    left: list[Destination] = []

    def edit(configuration: Configuration) -> ConfigurationFile:
        nonlocal removed, left
        removed = find_destination(configuration, destination_id)
        left = [each for each in configuration.destinations if each.id != destination_id]
        check_preconditions(request, etag_of(removed))
        return as_file(configuration).model_copy(
            update={
                "destinations": left,
                "dataflows": [each for each in configuration.dataflows if each.id != destination_id],
            }
        )

    await delete_entries(services, request, edit)
    if removed is not None:
        try:
            if await services.connect_destinations.forget(removed, left):
                note(request, f"key of destination {destination_id} deleted")
        except SecretError as error:  # the destination is removed all the same
            note(request, f"its key is left: {error}")
            return False
    return True


def find_destination(configuration: Configuration, destination_id: str) -> Destination:
    """Raises ProblemError (404)."""
    otherwise = "there is no destination with this id: GET /api/destinations lists those there are"
    return find(configuration.destinations, lambda entry: entry.id == destination_id, otherwise)


def destination_resource(
    destination: Destination, configuration: Configuration, troubles: dict[str, DestinationTrouble]
) -> DestinationResource:
    """The destination with its health and its warnings."""
    trouble = troubles.get(destination.id)
    if trouble is None:
        health = DestinationHealth(state="healthy")
    else:
        state = "recovering" if trouble.recovering else "down"
        health = DestinationHealth(state=state, since=format_instant(trouble.since), error=trouble.error)
    active = any(each.id == destination.id for each in configuration.dataflows)
    warnings = [] if active else ["has no dataflow, so nothing is exported to it"]
    return DestinationResource(**destination.model_dump(), health=health, warnings=warnings)
