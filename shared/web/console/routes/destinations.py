"""The first page: every destination, and how it is at a glance."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from shared.concurrency import both
from shared.domain.configuration.model import Dataflow
from shared.errors import StorageError
from shared.ports.undelivered import UndeliveredCount
from shared.services.wiring import Services
from shared.views.configuration import DestinationResource
from shared.web.console.backlog import Backlog, backlogs
from shared.web.console.pages import PREFIX, PageRoute, page, render
from shared.web.console.routes.alerts import open_alerts
from shared.web.context import AppServices
from shared.web.permissions import Permission

router = APIRouter(prefix=PREFIX, route_class=PageRoute)

_SEE = page(Permission.MANAGE_DESTINATIONS, Permission.VIEW_SEGMENTS)


@dataclass(frozen=True, slots=True)
class _Card:
    destination: DestinationResource
    dataflow: Dataflow | None
    waiting: UndeliveredCount


@router.get("", **_SEE)
@router.get("/", **_SEE)
async def show_destinations(services: AppServices, request: Request) -> HTMLResponse:
    configuration = await services.edit_configuration.load()
    troubles = await services.health.load()
    counts, queues = await both(services.undelivered_exports.counts(), _queues(services))
    dataflows = {dataflow.id: dataflow for dataflow in configuration.dataflows}
    cards = [
        _Card(
            DestinationResource.of(each, configuration, troubles),
            dataflows.get(each.id),
            counts.get(each.id, UndeliveredCount({}, complete=True)),
        )
        for each in configuration.destinations
    ]
    # What needs somebody goes first.
    cards.sort(key=lambda card: (card.destination.id not in troubles, not card.waiting.by_state, card.destination.name))
    return render(
        request,
        "destinations.html",
        cards=cards,
        down=sum(not trouble.recovering for key, trouble in troubles.items() if key in counts),
        waiting=sum(card.waiting.total for card in cards),
        alerts=await open_alerts(services),
        audiences=len(configuration.audiences),
        queues=queues,
        now=services.clock(),
    )


async def _queues(services: Services) -> list[Backlog] | str:
    """What waits on the queues, or why that is not known: the page has more to say than that."""
    try:
        return backlogs(await services.queues.counts(), services.clock())
    except StorageError as error:
        return str(error)
