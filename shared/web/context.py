"""What every route gets at: the services, once something is asked of them."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from shared.domain.setting_problem import SettingProblem
from shared.services.wiring import Services


@dataclass(frozen=True, slots=True)
class WebContext:
    """`services` builds them with the first call; with `app_service_authentication` the platform signs callers in.

    `setting_problems` are known without them. `broken_packages` tries what an invocation needs, which takes a second.
    `public_origins` are those by which browsers know the app, in lower case, where it is behind a front door.
    """

    services: Callable[[], Awaitable[Services]]
    app_service_authentication: bool
    public_origins: frozenset[str]
    logger: logging.Logger
    setting_problems: Sequence[SettingProblem] = ()
    broken_packages: Callable[[], Sequence[str]] = tuple


def context_of(request: Request) -> WebContext:
    context: WebContext = request.app.state.context
    return context


async def _services(request: Request) -> Services:
    return await context_of(request).services()


AppServices = Annotated[Services, Depends(_services)]
"""The services, as a parameter of a route."""
