"""The audiences: who maps each, how many profiles are in it, and how that went over the last month."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from shared.domain.audiences.counts import AudienceCount
from shared.views.audiences import AudienceCountView
from shared.web.console.charts import sparkline
from shared.web.console.pages import PREFIX, PageRoute, page, render
from shared.web.context import AppServices
from shared.web.permissions import Permission

router = APIRouter(prefix=PREFIX, route_class=PageRoute)

_PAGE = 100
"""Audiences on a page."""
SORTS: Mapping[str, Callable[[AudienceCountView], Any]] = {
    "name": lambda each: 0,
    "members": lambda each: -(each.members or 0),
    "change": lambda each: -(each.month.entered + each.month.left),
}
"""Name -> what rows are sorted by; those that are equal go by name."""


@router.get("/audiences", **page(Permission.VIEW_SEGMENTS))
async def show_audiences(
    services: AppServices,
    request: Request,
    q: Annotated[str, Query(max_length=200)] = "",
    sort: Annotated[str, Query(pattern=f"^({'|'.join(SORTS)})$")] = "name",
    destination: Annotated[str, Query(max_length=63)] = "",
    skip: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> HTMLResponse:
    configuration = await services.edit_configuration.load()
    mapped = {each.key for dataflow in configuration.dataflows for each in dataflow.audiences}
    counts = await services.audience_counts.members_of(mapped | {each.key for each in configuration.audiences})
    # The days are drawn, of those that are shown, and never named: their times would be most of what is made here.
    without_days = {key: replace(count, days=()) for key, count in counts.items()}
    everything = AudienceCountView.all_of(without_days, configuration)
    found = [each for each in everything if _matches(each, q) and (not destination or destination in each.destinations)]
    found.sort(key=lambda each: (SORTS[sort](each), (each.name or each.id).lower(), each.namespace, each.id))

    def address(**changed: str | int) -> str:
        """Of the same page with something changed."""
        fields = {"q": q, "sort": sort, "destination": destination} | changed
        given = {name: value for name, value in fields.items() if value not in {"", "name", 0}}
        return f"{PREFIX}/audiences?{urlencode(given)}" if given else f"{PREFIX}/audiences"

    shown = found[skip : skip + _PAGE]
    return render(
        request,
        "audiences.html",
        rows=[(each, _sparkline(counts[each.namespace, each.id])) for each in shown],
        found=len(found),
        total=len(everything),
        q=q,
        sort=sort,
        destination=destination,
        destinations={each.id: each.name for each in configuration.destinations},
        uploadable={each.key for each in configuration.audiences if each.origin == "custom-upload"},
        address=address,
        skip=skip,
        size=_PAGE,
        now=services.clock(),
    )


def _matches(audience: AudienceCountView, q: str) -> bool:
    """By name, id or namespace."""
    return any(q.strip().lower() in text.lower() for text in (audience.name or "", audience.id, audience.namespace))


def _sparkline(count: AudienceCount) -> Markup | None:
    """Members by day; None where there are no two days to compare."""
    days = [day.members for day in count.days if day.members is not None]
    if len(days) < 2:
        return None
    return sparkline(f"{days[0]:,} members on the first of {len(days)} days, {days[-1]:,} on the last", days)
