"""A destination's first page: how it is, what it came to; pausing and resuming it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from shared.concurrency import both
from shared.domain.instants import MILLISECOND
from shared.views.configuration import DestinationResource
from shared.web.console.destination_page import OVERVIEW, PATH, address, frame_of
from shared.web.console.history import SPANS, charts_of
from shared.web.console.pages import PageRoute, page, redirect, render
from shared.web.console.routes.alerts import open_alerts
from shared.web.console.verdict import Standing
from shared.web.context import AppServices
from shared.web.guarded import note
from shared.web.parameters import DestinationId
from shared.web.permissions import Permission

router = APIRouter(prefix=f"{PATH}/{{destination_id}}", route_class=PageRoute)

_ACTIVATE = page(*Permission)
"""Whoever activates data needs all four permissions, as with the API."""


@router.get("", **page(*OVERVIEW.permissions))
async def show_destination(
    services: AppServices,
    request: Request,
    destination_id: DestinationId,
    span: Annotated[str, Query(pattern="^(24h|7d|30d)$")] = "24h",
) -> Response:
    configuration = await services.edit_configuration.load()
    frame = frame_of(configuration, destination_id, OVERVIEW)
    (troubles, waiting), (alerts, (days, charts)) = await both(
        both(services.health.load(), services.undelivered_exports.count(destination_id)),
        both(
            open_alerts(services, destination_id),
            both(services.last_day.of([destination_id]), charts_of(services, destination_id, span)),
        ),
    )
    pause = configuration.pauses.get(destination_id)
    return render(
        request,
        "overview.html",
        **frame,
        standing=Standing(
            destination=DestinationResource.of(frame["destination"], configuration, troubles),
            dataflow=frame["dataflow"],
            alerts=alerts,
            waiting=waiting,
            day=days[destination_id],
        ),
        paused_since=pause and pause.since * MILLISECOND,
        charts=charts,
        spans=list(SPANS),
        span=span,
        now=services.clock(),
    )


@router.get("/pause", **_ACTIVATE)
async def confirm_pause(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    configuration = await services.edit_configuration.load()
    configuration.dataflow(destination_id)
    return render(request, "confirm_pause.html", **frame_of(configuration, destination_id, OVERVIEW))


@router.post("/pause", **_ACTIVATE)
async def pause(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    note(request, *(await services.destinations.pause(destination_id)).summary)
    return redirect(address(destination_id), "paused")


@router.post("/resume", **_ACTIVATE)
async def resume(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    note(request, *(await services.destinations.resume(destination_id)).summary)
    return redirect(address(destination_id), "resumed")
