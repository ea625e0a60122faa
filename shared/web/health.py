"""What is wrong with the app itself, for the API and for each page of the console."""

import json
from collections.abc import Sequence
from contextlib import suppress

from fastapi import Request

from shared.domain.timers import TimerState
from shared.errors import RelayError
from shared.services.standing_in import StoodIn
from shared.views.health import what_is_wrong
from shared.web.context import context_of
from shared.web.permissions import Permission, Principal

UNNAMED = "Something stops functions of this app: whoever has the app role ManageDestinations sees what."


def may_see(principal: Principal | None) -> bool:
    """Who may see names of settings and timers."""
    return principal is not None and Permission.MANAGE_DESTINATIONS in principal.permissions


async def banner(request: Request, principal: Principal | None) -> Sequence[str]:
    """What each page begins with: a sentence for each thing that stops functions."""
    if principal is None or not principal.permissions:
        return ()
    context = context_of(request)
    states: Sequence[TimerState] = ()
    with suppress(RelayError):  # the page itself says it
        states = await (await context.services()).timers.lately()
    wrong = what_is_wrong(context.setting_problems, states)
    return wrong if not wrong or may_see(principal) else (UNNAMED,)


async def tell_of_timers(request: Request, states: list[TimerState]) -> None:
    """Where no message comes, nobody else would open alerts for timers that have stopped. Raises StorageError."""
    context = context_of(request)
    outcome = StoodIn()
    try:
        await (await context.services()).stand_in.look_after(states, outcome)
    finally:
        for told in outcome.alerts.told:
            context.logger.warning("alert %s", json.dumps(told))
