"""The catalog of audiences."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from shared.domain.configuration.model import Audience, Configuration, ConfigurationFile
from shared.domain.profile.memberships import AudienceKey
from shared.services.configuration.edit import as_file
from shared.web.api.models.views import AudienceList, AudienceResource
from shared.web.api.resources import delete_entries, find, put_entry, tagged
from shared.web.context import AppServices
from shared.web.etags import check_preconditions, etag_of
from shared.web.guarded import GuardedRoute, needs
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

router = APIRouter(prefix="/api/audiences", tags=["audiences"], route_class=GuardedRoute)

AudienceId = Annotated[str, Path(description="The audience's id", min_length=1, max_length=512)]
Namespace = Annotated[str, Query(description="The audience's namespace", min_length=1, max_length=512)]


@router.get("", summary="List the catalog", openapi_extra=needs(Permission.VIEW_SEGMENTS))
async def list_audiences(services: AppServices) -> AudienceList:
    return AudienceList(audiences=(await services.edit_configuration.load()).audiences)


@router.get("/{audience_id}", summary="Get an audience", openapi_extra=needs(Permission.VIEW_SEGMENTS))
async def get_audience(
    services: AppServices, response: Response, audience_id: AudienceId, namespace: Namespace = "ups"
) -> Audience:
    audience = _find(await services.edit_configuration.load(), (namespace, audience_id))
    tagged(response, audience)
    return audience


@router.put(
    "/{audience_id}",
    summary="Create or replace an audience",
    openapi_extra=needs(Permission.ACTIVATE_DESTINATIONS, Permission.VIEW_SEGMENTS, preconditions=True),
    responses={201: {"model": Audience}},
)
async def put_audience(
    services: AppServices,
    request: Request,
    response: Response,
    audience_id: AudienceId,
    written: AudienceResource,
    namespace: Namespace = "ups",
) -> Audience:
    """Times that are left out stay as they were, or are now; `updatedAt` is now whenever something changes."""
    if written.id not in {"", audience_id}:
        raise ProblemError(422, "/id: expected the id in the path, or none")
    if "namespace" in written.model_fields_set and written.namespace != namespace:
        raise ProblemError(422, "/namespace: expected the namespace in the query, or none")
    wanted = Audience(**written.model_dump() | {"id": audience_id, "namespace": namespace})
    key = (namespace, audience_id)
    configuration, created = await put_entry(
        services, request, "audiences", lambda entry: entry.key == key, lambda _: wanted
    )
    audience = _find(configuration, key)
    tagged(response, audience)
    response.status_code = 201 if created else 200
    return audience


@router.delete(
    "/{audience_id}",
    summary="Remove an audience from the catalog",
    status_code=204,
    openapi_extra=needs(Permission.ACTIVATE_DESTINATIONS, Permission.VIEW_SEGMENTS, preconditions=True),
)
async def delete_audience(
    services: AppServices, request: Request, audience_id: AudienceId, namespace: Namespace = "ups"
) -> None:
    """Refused (409) while a dataflow maps it. Profiles keep their memberships."""

    def edit(configuration: Configuration) -> ConfigurationFile:
        audience = _find(configuration, (namespace, audience_id))
        check_preconditions(request, etag_of(audience))
        mapping = [each.id for each in configuration.dataflows if audience.key in {it.key for it in each.audiences}]
        if mapping:
            raise ProblemError(409, f"it is mapped by the dataflow {', '.join(mapping)}: take it out of there first")
        left = [each for each in configuration.audiences if each.key != audience.key]
        return as_file(configuration).model_copy(update={"audiences": left})

    await delete_entries(services, request, edit)


def _find(configuration: Configuration, key: AudienceKey) -> Audience:
    otherwise = "there is no audience with this id in the namespace: GET /api/audiences lists those there are"
    return find(configuration.audiences, lambda entry: entry.key == key, otherwise)
