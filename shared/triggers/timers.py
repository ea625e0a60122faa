"""Timers note that they run; functions of queues look whether they do, since one that has stopped tells nobody."""

import json
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.services.standing_in import StoodIn
    from shared.services.wiring import Services

logger = logging.getLogger(__name__)


async def services_of(timer: str) -> "Services":
    """The services, for a run of this timer, which is noted. Raises SettingError, StorageError."""
    from shared.bootstrap import relay  # here, so that indexing the functions does not load the SDKs
    from shared.errors import StorageError

    services = (await relay()).services
    try:
        await services.timers.ran(timer)
    except StorageError as error:  # the run may fare better, and the next one notes itself
        logger.warning("that %s runs could not be noted: %s", timer, error)
    return services


async def after_message(services: "Services") -> None:
    """At the end of a queue message, which is done: whether timers run, once a minute for each worker, and what has
    failed in the background.
    """
    from shared.errors import RelayError
    from shared.services.standing_in import StoodIn

    outcome = StoodIn()
    try:
        await services.stand_in.look(outcome)
    except RelayError as error:
        logger.warning("whether timers run could not be looked after: %s", error)
    tell(outcome)
    if problem := services.runs.take_problem():
        logger.warning("what was counted could not be saved yet: %s", problem)


def tell(outcome: "StoodIn") -> None:
    """In the log: which timers are overdue, and what was done in their place."""
    for state in outcome.overdue:
        name, seconds = state.run.name, state.overdue_seconds
        logger.error("timer %s is overdue for %.0f s: docs/operations.md says what to do", name, seconds)
    if summary := outcome.watched.summary():
        logger.info("watched %s", json.dumps(summary))
    tell_alerts(outcome.alerts.told)


def tell_alerts(told: "list[dict[str, Any]]") -> None:
    for each in told:
        logger.warning("alert %s", json.dumps(each))
