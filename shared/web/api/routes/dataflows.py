"""Dataflows: what is activated to each destination."""

from fastapi import APIRouter, Request, Response

from shared.domain.configuration.model import Configuration, ConfigurationFile, Dataflow
from shared.services.configuration.edit import as_file
from shared.services.wiring import Services
from shared.web.api.models.views import DataflowList, DataflowResource
from shared.web.api.resources import delete_entries, find, put_entry, tagged
from shared.web.api.routes.destinations import Id
from shared.web.context import AppServices
from shared.web.etags import check_preconditions, etag_of
from shared.web.guarded import GuardedRoute, needs
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

router = APIRouter(prefix="/api/dataflows", tags=["dataflows"], route_class=GuardedRoute)

_NONE = "there is no dataflow with this id: GET /api/dataflows lists those there are"
_ACTIVATE = needs(*Permission, preconditions=True)
"""Whoever activates data needs all four permissions (specification: activate audiences to this destination)."""


@router.get("", summary="List the dataflows", openapi_extra=needs(Permission.VIEW_SEGMENTS))
async def list_dataflows(services: AppServices) -> DataflowList:
    configuration = await services.edit_configuration.load()
    return DataflowList(dataflows=[DataflowResource.of(each, configuration) for each in configuration.dataflows])


@router.get("/{destination_id}", summary="Get a dataflow", openapi_extra=needs(Permission.VIEW_SEGMENTS))
async def get_dataflow(services: AppServices, response: Response, destination_id: Id) -> DataflowResource:
    return _shown(await services.edit_configuration.load(), response, destination_id)


@router.put(
    "/{destination_id}",
    summary="Map audiences and attributes",
    openapi_extra=_ACTIVATE,
    responses={201: {"model": DataflowResource}},
)
async def put_dataflow(
    services: AppServices, request: Request, response: Response, destination_id: Id, written: DataflowResource
) -> DataflowResource:
    """Create or replace the dataflow of the destination with this id. Members of newly mapped audiences are
    backfilled. Mapping times that are left out stay as they were, or are now.
    """
    if written.id not in {"", destination_id}:
        raise ProblemError(422, "/id: expected the id in the path, or none")
    wanted = Dataflow(**written.model_dump(include=set(Dataflow.model_fields)) | {"id": destination_id})
    configuration, created = await put_entry(
        services, request, "dataflows", lambda entry: entry.id == destination_id, lambda _: wanted
    )
    response.status_code = 201 if created else 200
    return _shown(configuration, response, destination_id)


@router.delete("/{destination_id}", summary="Remove a dataflow", status_code=204, openapi_extra=_ACTIVATE)
async def delete_dataflow(services: AppServices, request: Request, destination_id: Id) -> None:
    """Its destination stays, and nothing is exported to it any more; what waits for it is dropped."""

    def edit(configuration: Configuration) -> ConfigurationFile:
        check_preconditions(request, etag_of(_find(configuration, destination_id)))
        left = [each for each in configuration.dataflows if each.id != destination_id]
        return as_file(configuration).model_copy(update={"dataflows": left})

    await delete_entries(services, request, edit)


@router.post("/{destination_id}/pause", summary="Pause a dataflow", openapi_extra=_ACTIVATE)
async def pause_dataflow(
    services: AppServices, request: Request, response: Response, destination_id: Id
) -> DataflowResource:
    """Nothing is exported until it is resumed, nor lost."""
    return await _set_enabled(services, request, response, destination_id, enabled=False)


@router.post("/{destination_id}/resume", summary="Resume a dataflow", openapi_extra=_ACTIVATE)
async def resume_dataflow(
    services: AppServices, request: Request, response: Response, destination_id: Id
) -> DataflowResource:
    """Each profile that changed meanwhile is exported once, by a backfill."""
    return await _set_enabled(services, request, response, destination_id, enabled=True)


async def _set_enabled(
    services: Services, request: Request, response: Response, destination_id: str, *, enabled: bool
) -> DataflowResource:
    def switched(before: Dataflow | None) -> Dataflow:
        if before is None:
            raise ProblemError(404, _NONE)
        return before.model_copy(update={"enabled": enabled})

    configuration, _ = await put_entry(
        services, request, "dataflows", lambda entry: entry.id == destination_id, switched
    )
    return _shown(configuration, response, destination_id)


def _shown(configuration: Configuration, response: Response, destination_id: str) -> DataflowResource:
    dataflow = _find(configuration, destination_id)
    tagged(response, dataflow)
    return DataflowResource.of(dataflow, configuration)


def _find(configuration: Configuration, destination_id: str) -> Dataflow:
    return find(configuration.dataflows, lambda entry: entry.id == destination_id, _NONE)
