"""The triggers for what failed: retries, the watch over destinations, and what failed at every delivery."""

import json
import logging

import azure.functions as func

from shared.triggers.inbound import decoded_or_none, in_hand
from shared.triggers.invocation import ends
from shared.triggers.timers import after_message, services_of

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@blueprint.function_name("retry_export")
@blueprint.queue_trigger(arg_name="pointer", queue_name="export-retries", connection="RELAY_STORAGE")
@ends
async def retry_export(pointer: func.QueueMessage) -> None:
    """Try an undelivered export again. A failure of storage is raised, so that the queue brings the pointer again."""
    from shared.adapters.queues.pointers import RETRIES  # here, so that indexing does not load the SDKs

    async with in_hand("retries", pointer) as services:
        if (decoded := await decoded_or_none(RETRIES.decode, pointer)) is None:
            return
        attempt = await services.retry_export.handle(decoded)
        logger.info("retried %s", json.dumps({"destination": decoded.destination_id, "attempt": attempt}))
        await after_message(services)


@blueprint.function_name("watch_destinations")
@blueprint.timer_trigger(arg_name="timer", schedule="%WATCH_SCHEDULE%", use_monitor=False)
@ends
async def watch_destinations(timer: func.TimerRequest) -> None:
    """Look after destinations that were down and exports that wait, see how far consumers are behind, and forget last
    exports that are outdated.

    Where storage fails for some destinations, the run fails after it has done the rest.
    """
    services = await services_of("watch_destinations")
    outcome = await services.watch_destinations.run()
    if summary := outcome.summary():
        logger.info("watched %s", json.dumps(summary))
    if problem := await services.runs.flush():
        logger.warning("what was counted could not be saved yet: %s", problem)
    await services.last_exports.forget_outdated()
    for destination_id, error in outcome.failed.items():
        logger.error("destination %s could not be looked after: %s: the next run tries again", destination_id, error)
    for destination_id, why in (await services.consumer_lags.watch()).items():
        if why:
            logger.warning("how far the consumers of %s are behind is not known: %s", destination_id, why)
    if outcome.failed:
        raise next(iter(outcome.failed.values()))


@blueprint.function_name("drain_poison_queues")
@blueprint.timer_trigger(arg_name="timer", schedule="%WATCH_SCHEDULE%", use_monitor=False)
@ends
async def drain_poison_queues(timer: func.TimerRequest) -> None:
    """Put back what failed at every delivery, or give it up. A timer: a trigger of such a queue hardly gets a try."""
    services = await services_of("drain_poison_queues")
    drained = await services.drain_poison_queues.run()
    if summary := drained.summary():
        logger.warning("messages failed at every delivery %s", json.dumps(summary))
    if drained.failed:
        logger.error("%d stay where they are for now, the first for this: %s", len(drained.failed), drained.failed[0])
        raise drained.failed[0]
