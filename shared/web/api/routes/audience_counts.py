"""How many profiles are in audiences, over time."""

from typing import Annotated

from fastapi import APIRouter, Query

from shared.views.audiences import AudienceCountsView, AudienceCountView
from shared.web.context import AppServices
from shared.web.guarded import GuardedRoute, needs
from shared.web.permissions import Permission

router = APIRouter(prefix="/api/audience-counts", tags=["audiences"], route_class=GuardedRoute)


@router.get("", summary="Count the members of audiences", openapi_extra=needs(Permission.VIEW_SEGMENTS))
async def count_members(
    services: AppServices,
    destination: Annotated[
        str | None, Query(description="Only what it maps", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    ] = None,
    audience: Annotated[str | None, Query(description="Only the one of this id", min_length=1, max_length=512)] = None,
    namespace: Annotated[str, Query(description="Of `audience`", min_length=1, max_length=512)] = "ups",
) -> AudienceCountsView:
    """Of all in the catalog and all that are mapped: how many profiles are in each, who entered and left in the last
    hour, 7 and 30 days, and what the sweeps of 30 days counted.
    """
    configuration = await services.edit_configuration.load()
    flows = configuration.dataflows
    if destination is not None:
        configuration.destination(destination)
        flows = [flow for flow in flows if flow.id == destination]
    keys = {each.key for flow in flows for each in flow.audiences}
    if destination is None:
        keys |= {each.key for each in configuration.audiences}
    if audience is not None:
        keys &= {(namespace, audience)}
    counts = await services.audience_counts.members_of(sorted(keys))
    return AudienceCountsView(
        audiences=AudienceCountView.all_of(counts, configuration),
        memberships=sum(count.members or 0 for count in counts.values()),
    )
