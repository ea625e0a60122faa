"""The first page: whether all is fine, in a sentence, and every destination in a row."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from shared.concurrency import both
from shared.domain.runs import NO_DESTINATION, Histogram
from shared.ports.undelivered import UndeliveredCount
from shared.services.runs.last_day import HOURS, Day
from shared.views.configuration import DestinationResource
from shared.web.console.backlog import backlogs
from shared.web.console.charts import sparkline
from shared.web.console.history import words_of
from shared.web.console.pages import PREFIX, PageRoute, known, page, render
from shared.web.console.routes.alerts import open_alerts
from shared.web.console.verdict import Standing, verdict
from shared.web.context import AppServices
from shared.web.permissions import Permission

router = APIRouter(prefix=PREFIX, route_class=PageRoute)

_SEE = page(Permission.MANAGE_DESTINATIONS, Permission.VIEW_SEGMENTS)
_LONGEST_SEARCH = 200
_ORDER = ["bad", "warn", "good", "idle"]
SORTS = {
    "need": lambda each: (
        not each.needs_somebody,
        _ORDER.index(each.state[0]),
        -(each.waiting.total if each.waiting else 0),
    ),
    "name": lambda each: (),
    "exports": lambda each: -(sum(each.day.exports) if each.day else 0),
    "last": lambda each: -((each.day.last_slot if each.day else None) or 0),
    "waiting": lambda each: -(each.waiting.total if each.waiting else 0),
}
"""Name -> what rows are sorted by; those that are equal go by name."""
SHOWN = {
    "all": lambda each: True,
    "needs": lambda each: each.needs_somebody,
    "paused": lambda each: each.dataflow is not None and not each.dataflow.enabled,
    "no-dataflow": lambda each: each.dataflow is None,
}
"""Name -> which rows are shown."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the page shows, as its address has it."""

    q: str
    sort: str
    show: str

    def address(self, **changed: str) -> str:
        """Of the same page with something changed."""
        fields = {"q": self.q, "sort": self.sort, "show": self.show} | changed
        given = {name: value for name, value in fields.items() if value not in {"", "need", "all"}}
        return f"{PREFIX}?{urlencode(given)}" if given else PREFIX


@router.get("", **_SEE)
@router.get("/", **_SEE)
async def show_destinations(
    services: AppServices,
    request: Request,
    q: Annotated[str, Query(max_length=_LONGEST_SEARCH)] = "",
    sort: Annotated[str, Query(pattern=f"^({'|'.join(SORTS)})$")] = "need",
    show: Annotated[str, Query(pattern=f"^({'|'.join(SHOWN)})$")] = "all",
) -> HTMLResponse:
    configuration = await services.edit_configuration.load()
    troubles = await services.health.load()
    ids = [each.id for each in configuration.destinations]
    (counts, queues), (days, alerts) = await both(
        both(known(services.undelivered_exports.counts()), known(services.queues.counts())),
        both(known(services.last_day.of([*ids, NO_DESTINATION])), open_alerts(services)),
    )
    dataflows = {dataflow.id: dataflow for dataflow in configuration.dataflows}
    standings = [
        Standing(
            destination=DestinationResource.of(each, configuration, troubles),
            dataflow=dataflows.get(each.id),
            alerts=[alert for alert in alerts if alert.destination_id == each.id],
            waiting=None if isinstance(counts, str) else counts.get(each.id, UndeliveredCount({}, complete=True)),
            day=None if isinstance(days, str) else days[each.id],
        )
        for each in sorted(configuration.destinations, key=lambda each: each.name.lower())
    ]
    now = services.clock()
    recoveries = []
    if not isinstance(counts, str) and any(each.recovering for each in troubles.values()):
        progress = await known(services.undelivered_exports.recoveries(counts, now))
        recoveries = [] if isinstance(progress, str) else progress
    left = [each.seconds_left for each in recoveries if each.seconds_left is not None]
    searched = [each for each in standings if _matches(each, q)]
    return render(
        request,
        "destinations.html",
        standings=sorted(filter(SHOWN[show], searched), key=SORTS[sort]),
        found={name: sum(map(wanted, searched)) for name, wanted in SHOWN.items()},
        choice=_Choice(q, sort, show),
        down=[each.destination for each in standings if each.state[1] == "Down"],
        total=len(standings),
        verdict=verdict(
            standings,
            alerts,
            None if isinstance(queues, str) else queues,
            now,
            max(left, default=None),
            0 if isinstance(days, str) else days[NO_DESTINATION].quarantined,
        ),
        day=_all_day([each.day for each in standings if each.day]),
        days_known=not isinstance(days, str),
        sparkline=sparkline,
        unknown=[each for each in (counts, days) if isinstance(each, str)],
        audiences=len(configuration.audiences),
        queues=queues if isinstance(queues, str) else backlogs(queues, now),
        now=now,
    )


def _matches(standing: Standing, q: str) -> bool:
    """By name, id or hub."""
    destination = standing.destination
    texts = (destination.name, destination.id, destination.event_hub_name, destination.description or "")
    return any(q.strip().lower() in text.lower() for text in texts)


def _all_day(days: list[Day]) -> dict[str, object] | None:
    """Throughput and latency over the day, of all destinations; None where nothing was exported."""
    exports = [sum(day.exports[hour] for day in days) for hour in range(HOURS)]
    if not any(exports):
        return None
    latency = Histogram()
    for day in days:
        latency.merge(day.latency)
    return {
        "exports": exports,
        "p50": words_of(latency.quantile(0.5)),
        "p95": words_of(latency.quantile(0.95)),
    }
