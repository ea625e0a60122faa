"""Dataflows: what is activated to each destination."""

from fastapi import APIRouter, Request, Response

from shared.concurrency import both
from shared.domain.configuration.model import Configuration, Dataflow
from shared.domain.configuration.plan import Plan
from shared.domain.instants import MILLISECOND
from shared.domain.messages.resync_item import ResyncRequest
from shared.services.wiring import Services
from shared.views.audiences import AudienceCountView, EstimateView, MappingEstimateView
from shared.views.backfills import BackfillView
from shared.views.configuration import DataflowList, DataflowResource
from shared.views.shadows import ShadowRequest, ShadowView
from shared.web.context import AppServices
from shared.web.etags import if_matching, tagged
from shared.web.guarded import GuardedRoute, needs, note
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

router = APIRouter(prefix="/api/dataflows", tags=["dataflows"], route_class=GuardedRoute)

_ACTIVATE = needs(*Permission, preconditions=True)
"""Whoever activates data needs all four permissions (docs/rules.md, "Who may do what")."""


@router.get("", summary="List the dataflows", openapi_extra=needs(Permission.VIEW_SEGMENTS))
async def list_dataflows(services: AppServices) -> DataflowList:
    configuration = await services.edit_configuration.load()
    now_ms = services.clock() // MILLISECOND
    return DataflowList(
        dataflows=[DataflowResource.of(each, configuration, now_ms) for each in configuration.dataflows]
    )


@router.get("/{destination_id}", summary="Get a dataflow", openapi_extra=needs(Permission.VIEW_SEGMENTS))
async def get_dataflow(services: AppServices, response: Response, destination_id: DestinationId) -> DataflowResource:
    return _shown(services, await services.edit_configuration.load(), response, destination_id)


@router.put(
    "/{destination_id}",
    summary="Map audiences and attributes",
    openapi_extra=_ACTIVATE,
    responses={201: {"model": DataflowResource}},
)
async def put_dataflow(
    services: AppServices,
    request: Request,
    response: Response,
    destination_id: DestinationId,
    written: DataflowResource,
) -> DataflowResource:
    """Create or replace the dataflow of the destination with this id. Members of newly mapped audiences are
    backfilled. Mapping times that are left out stay as they were, or are now. An audience with `activeFrom` or
    `activeUntil` counts as mapped from the one until the other, to the minute.
    """
    plan = await services.destinations.map(_wanted(written, destination_id), if_matching(request))
    response.status_code = 201 if plan.creates_something else 200
    return _changed(services, plan, request, response, destination_id)


@router.post(
    "/{destination_id}/estimate",
    summary="Say what a mapping will come to",
    openapi_extra=needs(Permission.VIEW_SEGMENTS, noted=False),
)
async def estimate_mapping(
    services: AppServices, destination_id: DestinationId, written: DataflowResource
) -> MappingEstimateView:
    """What `PUT` of the same body would backfill, and who is in its audiences. From counts: it takes no longer for a
    million members. Nothing is saved.
    """
    configuration = await services.edit_configuration.load()
    configuration.destination(destination_id)
    wanted = _wanted(written, destination_id)
    keys = [audience.key for audience in wanted.audiences]
    counts, estimate = await both(
        services.audience_counts.members_of(keys), services.estimate_backfills.of_mapping(configuration, wanted)
    )
    return MappingEstimateView(
        backfill=EstimateView.of(estimate) if estimate else None,
        audiences=AudienceCountView.all_of(counts, configuration),
    )


@router.delete("/{destination_id}", summary="Remove a dataflow", status_code=204, openapi_extra=_ACTIVATE)
async def delete_dataflow(services: AppServices, request: Request, destination_id: DestinationId) -> None:
    """Its destination stays, and nothing is exported to it any more; what waits for it is dropped."""
    plan = await services.destinations.unmap(destination_id, if_matching(request))
    note(request, *plan.summary)


@router.post("/{destination_id}/pause", summary="Pause a dataflow", openapi_extra=_ACTIVATE)
async def pause_dataflow(
    services: AppServices, request: Request, response: Response, destination_id: DestinationId
) -> DataflowResource:
    """Nothing is exported until it is resumed, nor lost."""
    plan = await services.destinations.pause(destination_id, if_matching(request))
    return _changed(services, plan, request, response, destination_id)


@router.post("/{destination_id}/resume", summary="Resume a dataflow", openapi_extra=_ACTIVATE)
async def resume_dataflow(
    services: AppServices, request: Request, response: Response, destination_id: DestinationId
) -> DataflowResource:
    """Each profile that changed meanwhile is exported once, by a backfill."""
    plan = await services.destinations.resume(destination_id, if_matching(request))
    return _changed(services, plan, request, response, destination_id)


@router.post(
    "/{destination_id}/resyncs",
    summary="Export members again",
    status_code=202,
    openapi_extra=needs(*Permission),
    responses={200: {"model": BackfillView, "description": "There is this resync already"}},
)
async def resync_dataflow(
    services: AppServices, request: Request, response: Response, destination_id: DestinationId, asked: ResyncRequest
) -> BackfillView:
    """Each profile of the scope is exported once, as it is then, with the reason `resync`: members of mapped audiences,
    and those who left one. `GET /api/backfills/{backfill_id}` says how far it is; it is cancelled as a backfill is.
    """
    requested = await services.resyncs.request(destination_id, asked)
    response.status_code = 202 if requested.created else 200
    response.headers["Location"] = f"/api/backfills/{requested.backfill.id}"
    note(request, f"resync {requested.backfill.id} {'requested' if requested.created else 'known'}")
    return BackfillView.of(await services.backfill_statuses.of(requested.backfill))


@router.get(
    "/{destination_id}/shadow",
    summary="Say what a tried mapping would export",
    openapi_extra=needs(Permission.VIEW_SEGMENTS),
)
async def get_shadow(services: AppServices, response: Response, destination_id: DestinationId) -> ShadowView:
    """What the candidate and the live mapping called for since it is tried, without the last fifteen seconds or so."""
    return await _shadow(services, response, destination_id)


@router.put(
    "/{destination_id}/shadow",
    summary="Try a mapping beside the live one",
    openapi_extra=_ACTIVATE,
    responses={201: {"model": ShadowView}},
)
async def put_shadow(
    services: AppServices, request: Request, response: Response, destination_id: DestinationId, asked: ShadowRequest
) -> ShadowView:
    """From now on each change is decided on by the candidate, too, and counted; nothing of it is sent. In place of one
    that is tried already, whose counts are gone.
    """
    new = await services.shadows.begin(_wanted(asked.mapping, destination_id), asked.hours, if_matching(request))
    note(request, f"shadow of dataflow {destination_id} begun for {asked.hours} hours")
    response.status_code = 201 if new else 200
    return await _shadow(services, response, destination_id)


@router.delete("/{destination_id}/shadow", summary="Drop a tried mapping", status_code=204, openapi_extra=_ACTIVATE)
async def delete_shadow(services: AppServices, request: Request, destination_id: DestinationId) -> None:
    """With all that was counted. The live mapping stays as it is."""
    await services.shadows.drop(destination_id, if_matching(request))
    note(request, f"shadow of dataflow {destination_id} dropped")


@router.post("/{destination_id}/shadow/make-live", summary="Make a tried mapping live", openapi_extra=_ACTIVATE)
async def make_shadow_live(
    services: AppServices, request: Request, response: Response, destination_id: DestinationId
) -> DataflowResource:
    """As `PUT` of the candidate: members of newly mapped audiences are backfilled. `If-Match` takes the entity tag that
    `GET` gave the shadow, which another live mapping changes, too.
    """
    plan = await services.shadows.make_live(destination_id, if_matching(request))
    note(request, f"shadow of dataflow {destination_id} made live")
    return _changed(services, plan, request, response, destination_id)


async def _shadow(services: Services, response: Response, destination_id: str) -> ShadowView:
    configuration = await services.edit_configuration.load()
    figures = await services.shadows.figures(configuration, destination_id)
    tagged(response, figures.tried)
    return ShadowView.of(figures)


def _wanted(written: DataflowResource, destination_id: str) -> Dataflow:
    if written.id not in {"", destination_id}:
        raise ProblemError(422, "/id: expected the id in the path, or none")
    return Dataflow(**written.model_dump(include=set(Dataflow.model_fields)) | {"id": destination_id})


def _changed(
    services: Services, plan: Plan, request: Request, response: Response, destination_id: str
) -> DataflowResource:
    note(request, *plan.summary)
    return _shown(services, plan.configuration, response, destination_id)


def _shown(
    services: Services, configuration: Configuration, response: Response, destination_id: str
) -> DataflowResource:
    dataflow = configuration.dataflow(destination_id)
    tagged(response, dataflow)
    return DataflowResource.of(dataflow, configuration, services.clock() // MILLISECOND)
