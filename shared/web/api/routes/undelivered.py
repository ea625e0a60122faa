"""What destinations have not heard of: listed, counted, tried again."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from shared.domain.exports.undelivered import UndeliveredState
from shared.errors import FailureCode, NotUndeliveredError
from shared.views.undelivered import (
    RecoveryView,
    RedriveRequestView,
    RedriveView,
    RowState,
    UndeliveredCountView,
    UndeliveredList,
    UndeliveredSummary,
    UndeliveredView,
)
from shared.web.context import AppServices
from shared.web.guarded import GuardedRoute, needs, note
from shared.web.parameters import DestinationId, ProfileKey, Token
from shared.web.permissions import Permission

router = APIRouter(prefix="/api/undelivered", tags=["undelivered"], route_class=GuardedRoute)

Limit = Annotated[int, Query(ge=1, le=1_000)]
_SEE = needs(Permission.MANAGE_DESTINATIONS, Permission.VIEW_PROFILES)


@router.get("", summary="List what is undelivered", openapi_extra=_SEE)
async def list_undelivered(
    services: AppServices,
    destination: Annotated[str | None, Query(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = None,
    state: RowState | None = None,
    code: FailureCode | None = None,
    token: Token = None,
    limit: Limit = 100,
) -> UndeliveredList:
    """In no particular order; of one destination or of all, in one state or in any, with one code or with any."""
    wanted = None if state is None else UndeliveredState(state)
    page = await services.undelivered_exports.page(destination, wanted, token, limit, code)
    return UndeliveredList(undelivered=[UndeliveredView.of(row) for row in page.rows], next=page.next)


@router.get("/counts", summary="Count what is undelivered", openapi_extra=needs(Permission.MANAGE_DESTINATIONS))
async def count_undelivered(services: AppServices) -> UndeliveredSummary:
    """Up to about 10,000 rows of each destination are counted."""
    counts = await services.undelivered_exports.counts()
    requests = await services.undelivered_exports.redrives()
    recoveries = await services.undelivered_exports.recoveries(counts, services.clock())
    return UndeliveredSummary(
        destinations={each: UndeliveredCountView.of(count) for each, count in counts.items()},
        redrive_requested_at={each: request.requested_at for each, request in requests.items()},
        recoveries={each.recovery.destination_id: RecoveryView.of(each) for each in recoveries},
    )


@router.get("/{destination_id}/{profile_key}", summary="Get what is undelivered of a profile", openapi_extra=_SEE)
async def get_undelivered(
    services: AppServices, destination_id: DestinationId, profile_key: ProfileKey
) -> UndeliveredView:
    row = await services.undelivered_exports.get(destination_id, profile_key)
    if row is None:
        raise NotUndeliveredError
    return UndeliveredView.of(row)


@router.post("/{destination_id}/{profile_key}/redrive", summary="Try it again now", openapi_extra=_SEE)
async def redrive_one(
    services: AppServices, request: Request, destination_id: DestinationId, profile_key: ProfileKey
) -> RedriveView:
    """Whatever its state, with the profile as it is now. Answers what came of it:

    `sent`; `kept`: the destination took it, and the row stays until every worker knows that it answers again; `failed`;
    `refused`: the destination takes no event like it; `parked`: its dataflow is paused, or its partition takes nothing
    for now; `dropped`: the destination does not want the profile any more.
    """
    outcome = await services.watch_destinations.redrive_one(destination_id, profile_key)
    note(request, f"redrive {outcome}")
    row = await services.undelivered_exports.get(destination_id, profile_key)
    return RedriveView(outcome=outcome, undelivered=row and UndeliveredView.of(row))


@router.post(
    "/{destination_id}/redrive",
    summary="Let all that waits for a destination be tried again",
    status_code=202,
    openapi_extra=needs(Permission.MANAGE_DESTINATIONS),
)
async def redrive_all(services: AppServices, destination_id: DestinationId) -> RedriveRequestView:
    """`watch_destinations` does it, from its next run on, rows that are dead for good included.

    What is down is redriven when it answers, what is paused when it is resumed.
    """
    (await services.edit_configuration.load()).destination(destination_id)
    asked = await services.watch_destinations.request_redrive(destination_id)
    return RedriveRequestView(destination_id=destination_id, requested_at=asked.requested_at)
