"""The triggers of backfills and of the daily sweep."""

import json
import logging

import azure.functions as func

from shared.triggers.inbound import pointer_or_none
from shared.triggers.invocation import ends
from shared.triggers.timers import after_message, services_of

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@blueprint.function_name("run_backfill")
@blueprint.timer_trigger(arg_name="timer", schedule="%BACKFILL_SCHEDULE%", use_monitor=False)
@ends
async def run_backfill(timer: func.TimerRequest) -> None:
    """Start the backfills that are due, and look after those that run."""
    services = await services_of("run_backfill")
    if outcome := await services.plan_backfills.run():
        logger.info("backfills %s", json.dumps(outcome))


@blueprint.function_name("backfill_slice")
@blueprint.queue_trigger(arg_name="pointer", queue_name="backfill-slices", connection="RELAY_STORAGE")
@ends
async def backfill_slice(pointer: func.QueueMessage) -> None:
    """Work on a slice for at most a minute. A failure of storage is raised, so that the queue brings it again."""
    from shared.adapters.queues.pointers import SLICES  # here, so that indexing the functions does not load the SDKs
    from shared.bootstrap import relay

    decoded = SLICES.decode(pointer.get_body())
    services = (await relay()).services
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


@blueprint.function_name("give_up_slice")
@blueprint.queue_trigger(arg_name="pointer", queue_name="backfill-slices-poison", connection="RELAY_STORAGE")
@ends
async def give_up_slice(pointer: func.QueueMessage) -> None:
    """Note that a slice failed at every delivery; `run_backfill` starts it again once it has stalled for a while."""
    from shared.adapters.queues.pointers import SLICES
    from shared.bootstrap import relay

    if (decoded := pointer_or_none(SLICES, pointer)) is None:
        return
    await (await relay()).services.work_slices.failed(decoded)
    logger.warning("slice %s of backfill %s failed at every delivery", decoded.bucket, decoded.backfill_id)
