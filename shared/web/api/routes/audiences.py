"""The catalog of audiences."""

from fastapi import APIRouter, Request, Response

from shared.domain.configuration.model import Audience
from shared.domain.configuration.plan import warnings_about_names
from shared.views.configuration import AudienceList, AudienceResource
from shared.web.context import AppServices
from shared.web.etags import if_matching, tagged
from shared.web.guarded import GuardedRoute, needs, note
from shared.web.parameters import AudienceId, Namespace
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

router = APIRouter(prefix="/api/audiences", tags=["audiences"], route_class=GuardedRoute)


@router.get("", summary="List the catalog", openapi_extra=needs(Permission.VIEW_SEGMENTS))
async def list_audiences(services: AppServices) -> AudienceList:
    """With how many profiles are in each, as the last sweep counted, and who entered and left since."""
    audiences = (await services.edit_configuration.load()).audiences
    counts = await services.audience_counts.members_of(audience.key for audience in audiences)
    shown = [AudienceResource.of(audience, counts[audience.key]) for audience in audiences]
    return AudienceList(audiences=shown, warnings=warnings_about_names(audiences))


@router.get("/{audience_id}", summary="Get an audience", openapi_extra=needs(Permission.VIEW_SEGMENTS))
async def get_audience(
    services: AppServices, response: Response, audience_id: AudienceId, namespace: Namespace = "ups"
) -> AudienceResource:
    """The ETag is of the entry alone, not of who is in it."""
    audience = (await services.edit_configuration.load()).audience((namespace, audience_id))
    tagged(response, audience)
    return AudienceResource.of(audience, (await services.audience_counts.members_of([audience.key]))[audience.key])


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
    given = written.model_dump(include=set(Audience.model_fields))
    wanted = Audience(**given | {"id": audience_id, "namespace": namespace})
    plan = await services.edit_configuration.put(Audience, wanted.key, lambda _: wanted, if_matching(request))
    note(request, *plan.summary)
    audience = plan.configuration.audience(wanted.key)
    tagged(response, audience)
    response.status_code = 201 if plan.creates_something else 200
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
    plan = await services.edit_configuration.remove_audience((namespace, audience_id), if_matching(request))
    note(request, *plan.summary)
