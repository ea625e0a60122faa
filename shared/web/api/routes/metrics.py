"""What became of changes and exports, counted over time."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from shared.domain.instants import SECOND
from shared.domain.runs import NO_DESTINATION, SLOT, total_of
from shared.services.runs.history import KEPT_DAYS
from shared.views.metrics import CountsView, MetricsView, SlotView
from shared.web.context import AppServices
from shared.web.guarded import GuardedRoute, needs
from shared.web.permissions import Permission

router = APIRouter(prefix="/api/metrics", tags=["metrics"], route_class=GuardedRoute)

_IdOrNone = Annotated[
    str,
    Path(
        description="The destination's id, or `*` for what concerns no single one",
        pattern=r"^(\*|[a-z0-9][a-z0-9-]{0,62})$",
    ),
]
_HOUR = 3_600 * SECOND


@router.get(
    "/{destination_id}",
    summary="Count what became of changes and exports",
    openapi_extra=needs(Permission.VIEW_SEGMENTS),
)
async def read_metrics(
    services: AppServices,
    destination_id: _IdOrNone,
    hours: Annotated[int, Query(ge=1, le=KEPT_DAYS * 24)] = 24,
    step: Annotated[
        int, Query(description="Seconds", ge=SLOT // SECOND, le=KEPT_DAYS * 86_400, multiple_of=SLOT // SECOND)
    ] = 3_600,
) -> MetricsView:
    """The last hours until now, in slots of `step`, of which the first is whole and the last is still filling."""
    if destination_id != NO_DESTINATION:
        (await services.edit_configuration.load()).destination(destination_id)
    until = services.clock()
    slots = await services.run_history.read(destination_id, until - hours * _HOUR, until, step * SECOND)
    return MetricsView(
        destination_id=destination_id,
        since=slots[0].start,
        until=until,
        step=step,
        totals=CountsView.model_validate(total_of(slots)),
        slots=[SlotView.model_validate(slot) for slot in slots],
    )
