"""Whether the app can work."""

from fastapi import APIRouter, Request

from shared.domain.timers import TimerState
from shared.errors import RelayError, SettingError
from shared.views.health import HealthView, what_is_wrong
from shared.web.context import context_of
from shared.web.guarded import GuardedRoute, needs
from shared.web.health import tell_of_timers
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

router = APIRouter(prefix="/api/health", tags=["health"], route_class=GuardedRoute)


@router.get("", summary="Say whether the app can work", openapi_extra=needs(Permission.MANAGE_DESTINATIONS))
async def get_health(request: Request) -> HealthView:
    """Checks all settings, those that only the Functions host reads too, imports all that an invocation needs, looks
    when each timer ran last. 503 where something stops functions: `errors` has a line for each.
    """
    context = context_of(request)
    wrong, states = list(context.broken_packages()), list[TimerState]()
    try:
        states = await (await context.services()).timers.states()
        await tell_of_timers(request, states)
    except RelayError as error:
        told = {problem.setting for problem in context.setting_problems}
        if not (isinstance(error, SettingError) and error.setting in told):
            wrong.append(str(error))
    wrong = what_is_wrong(context.setting_problems, states) + wrong
    if wrong:
        raise ProblemError(503, wrong[0], wrong)
    return HealthView.of(context.setting_problems, states)
