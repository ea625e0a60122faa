"""What comes in: how many changes, what waits on the queues, and when the timers ran."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from shared.concurrency import both
from shared.domain.instants import SECOND
from shared.domain.runs import NO_DESTINATION, SLOT, total_of
from shared.web.console.history import SPANS, received_of
from shared.web.console.pages import PREFIX, PageRoute, known, page, render
from shared.web.context import AppServices
from shared.web.permissions import Permission

router = APIRouter(prefix=f"{PREFIX}/input", route_class=PageRoute)


@router.get("", **page(Permission.MANAGE_DESTINATIONS))
async def show_input(
    services: AppServices,
    request: Request,
    span: Annotated[str, Query(pattern=f"^({'|'.join(SPANS)})$")] = "24h",
) -> Response:
    now = services.clock()
    length, step = SPANS[span]
    (slots, lately), (queues, timers) = await both(
        both(
            services.run_history.read(NO_DESTINATION, now - length, now + 1, step),
            services.run_history.totals(NO_DESTINATION, now - SLOT, now - now % SLOT),
        ),
        both(known(services.queues.counts()), services.timers.states()),
    )
    total = total_of(slots)
    return render(
        request,
        "input.html",
        chart=received_of(slots),
        per_second=lately.received * SECOND / SLOT,
        excluded=total.excluded.most_common(),
        decided_again=total.decided_again.most_common(),
        queues=queues,
        timers=timers,
        spans=list(SPANS),
        span=span,
        now=now,
    )
