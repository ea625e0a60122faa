"""What destinations have not heard of, and trying it again."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from shared.domain.exports.undelivered import UndeliveredState
from shared.errors import DELIVERY_CODES
from shared.ports.undelivered import UndeliveredCount, UndeliveredPage
from shared.services.wiring import Services
from shared.views.undelivered import RecoveryView, UndeliveredView
from shared.web.console.forms import Submitted
from shared.web.console.pages import PREFIX, PageRoute, page, redirect, render
from shared.web.context import AppServices
from shared.web.guarded import note
from shared.web.parameters import DestinationId, ProfileKey, Token
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

PATH = f"{PREFIX}/undelivered"
router = APIRouter(prefix=PATH, route_class=PageRoute)

_SEE = page(Permission.MANAGE_DESTINATIONS, Permission.VIEW_PROFILES)
_ROWS = 50


@dataclass(frozen=True, slots=True)
class Filter:
    """What of it is shown, as the page's address has it; what is empty leaves it open."""

    destination: Annotated[str, Query(pattern=r"^([a-z0-9][a-z0-9-]{0,62})?$")] = ""
    state: Annotated[str, Query(pattern="^(retrying|parked|dead)?$")] = ""
    code: Annotated[str, Query(pattern="^[a-z-]*$", max_length=40)] = ""
    token: Token = None

    def address(self, **changed: str | None) -> str:
        fields = {**asdict(self), **changed}
        given = {name: value for name, value in fields.items() if value}
        return f"{PATH}?{urlencode(given)}" if given else PATH

    def total(self, counts: Mapping[str, UndeliveredCount]) -> int:
        """How many of those counted are like that, on whichever page."""
        return sum(
            group.rows
            for destination_id, count in counts.items()
            for group in count.groups
            if self.destination in {"", destination_id}
            and self.state in {"", group.state}
            and self.code in {"", group.code}
        )


@router.get("", **_SEE)
async def show_undelivered(services: AppServices, request: Request, shown: Annotated[Filter, Depends()]) -> Response:
    state = UndeliveredState(shown.state) if shown.state else None
    listed = await services.undelivered_exports.page(
        shown.destination or None, state, shown.token, _ROWS, shown.code or None
    )
    return await _show(services, request, listed, shown)


@router.post("", **page(Permission.MANAGE_DESTINATIONS, Permission.VIEW_PROFILES, noted=False))
async def search_profile(services: AppServices, request: Request, form: Submitted) -> Response:
    """By a form, for ids of profiles are not to stand in addresses."""
    profile_id = form.raw("profile_id")
    rows = await services.undelivered_exports.of_profile(profile_id)
    return await _show(services, request, UndeliveredPage(rows, None), Filter(), profile_id=profile_id)


async def _show(
    services: Services, request: Request, listed: UndeliveredPage, shown: Filter, profile_id: str = ""
) -> Response:
    configuration = await services.edit_configuration.load()
    counts = {each: count for each, count in (await services.undelivered_exports.counts()).items() if count.by_state}
    now = services.clock()
    recoveries = await services.undelivered_exports.recoveries(counts, now)
    troubles = await services.health.load()
    return render(
        request,
        "undelivered.html",
        rows=[UndeliveredView.of(row) for row in listed.rows],
        next=listed.next,
        names={each.id: each.name for each in configuration.destinations},
        counts=_worst_first(counts, troubles),
        states=sum((Counter(count.by_state) for count in counts.values()), Counter()),
        total=shown.total(counts),
        complete=all(count.complete for count in counts.values()),
        redrives=await services.undelivered_exports.redrives(),
        recoveries={each.recovery.destination_id: RecoveryView.of(each) for each in recoveries},
        troubles=troubles,
        shown=shown,
        profile_id=profile_id,
        codes=DELIVERY_CODES,
        now=now,
    )


def _worst_first(
    counts: Mapping[str, UndeliveredCount], troubles: Collection[str]
) -> list[tuple[str, UndeliveredCount]]:
    """Those that are down or recover, then the others, most exports first."""
    return sorted(counts.items(), key=lambda each: (each[0] not in troubles, -each[1].total, each[0]))


@router.post("/{destination_id}/{profile_key}/redrive", **_SEE)
async def redrive_one(
    services: AppServices,
    request: Request,
    destination_id: DestinationId,
    profile_key: ProfileKey,
    shown: Annotated[Filter, Depends()],
) -> Response:
    """Back to the page it was asked on, which the form's address names."""
    outcome = await services.watch_destinations.redrive_one(destination_id, profile_key)
    note(request, f"redrive {outcome}")
    return redirect(shown.address(), outcome)


@router.get("/{destination_id}/redrive", **page(Permission.MANAGE_DESTINATIONS))
async def confirm_redrive(services: AppServices, request: Request, destination_id: DestinationId) -> Response:
    destination = (await services.edit_configuration.load()).destination(destination_id)
    count = await services.undelivered_exports.count(destination_id)
    if not count.by_state:
        raise ProblemError(404, f"nothing is undelivered to {destination.name}: there is nothing to redrive")
    return render(
        request,
        "confirm_redrive.html",
        destination=destination,
        count=count,
        trouble=(await services.health.load()).get(destination_id),
        now=services.clock(),
    )


@router.post("/{destination_id}/redrive", **page(Permission.MANAGE_DESTINATIONS))
async def redrive_all(
    services: AppServices, request: Request, destination_id: DestinationId, _form: Submitted
) -> Response:
    (await services.edit_configuration.load()).destination(destination_id)
    await services.watch_destinations.request_redrive(destination_id)
    principal = request.state.principal
    rows = Permission.VIEW_PROFILES in principal.permissions
    return redirect(f"{PATH}?destination={destination_id}" if rows else PREFIX, "redriving")
