"""The triggers of backfills and of the daily sweep."""

import json
import logging

import azure.functions as func

from shared.triggers.inbound import decoded_or_none, in_hand
from shared.triggers.invocation import ends
from shared.triggers.timers import after_message, services_of

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@blueprint.function_name("run_backfill")
@blueprint.timer_trigger(arg_name="timer", schedule="%BACKFILL_SCHEDULE%", use_monitor=False)
@ends
async def run_backfill(timer: func.TimerRequest) -> None:
    """Turn the schedules of mapped audiences, start the backfills that are due, and look after those that run."""
    from shared.errors import RelayError

    services = await services_of("run_backfill")
    try:
        if turned := await services.turn_schedules.run():
            logger.info("schedules turned: %s", "; ".join(turned))
    except RelayError as error:  # the next run turns them; backfills need not wait for that
        logger.warning("schedules of mapped audiences could not be turned: %s", error)
    if outcome := await services.plan_backfills.run():
        logger.info("backfills %s", json.dumps(outcome))


@blueprint.function_name("backfill_slice")
@blueprint.queue_trigger(arg_name="pointer", queue_name="backfill-slices", connection="RELAY_STORAGE")
@ends
async def backfill_slice(pointer: func.QueueMessage) -> None:
    """Work on a slice for at most a minute. A failure of storage is raised, so that the queue brings it again."""
    from shared.adapters.queues.pointers import SLICES

    async with in_hand("slices", pointer) as services:
        if (decoded := await decoded_or_none(SLICES.decode, pointer)) is None:
            return
        outcome = await services.work_slices.work(decoded)
        what = {"backfill": decoded.backfill_id, "slice": decoded.bucket, "outcome": outcome}
        logger.info("backfilled %s", json.dumps(what))
        await after_message(services)


@blueprint.function_name("sweep_profiles")
@blueprint.timer_trigger(arg_name="timer", schedule="%SWEEP_SCHEDULE%", use_monitor=False)
@ends
async def sweep_profiles(timer: func.TimerRequest) -> None:
    """Ask for a sweep, which `run_backfill` and `backfill_slice` carry out; clear away what was counted long ago."""
    services = await services_of("sweep_profiles")
    await services.plan_backfills.sweep()
    await services.run_history.forget_outdated()
    await services.drain_poison_queues.forget_outdated()
