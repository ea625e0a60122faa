"""The triggers for what failed: retries, the watch over destinations, and what the host gave up on."""

import json
import logging

import azure.functions as func

from shared.triggers.inbound import inbound_message, pointer_or_none
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
    from shared.bootstrap import relay

    decoded = RETRIES.decode(pointer.get_body())
    services = (await relay()).services
    attempt = await services.retry_export.handle(decoded)
    logger.info("retried %s", json.dumps({"destination": decoded.destination_id, "attempt": attempt}))
    await after_message(services)


@blueprint.function_name("watch_destinations")
@blueprint.timer_trigger(arg_name="timer", schedule="%WATCH_SCHEDULE%", use_monitor=False)
@ends
async def watch_destinations(timer: func.TimerRequest) -> None:
    """Look after destinations that were down and exports that wait, and forget last exports that are outdated.

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
    if outcome.failed:
        raise next(iter(outcome.failed.values()))


@blueprint.function_name("quarantine_poisoned_changes")
@blueprint.queue_trigger(arg_name="message", queue_name="%PROFILE_CHANGES_QUEUE%-poison", connection="RELAY_STORAGE")
@ends
async def quarantine_poisoned_changes(message: func.QueueMessage) -> None:
    """Keep changes that failed at every delivery."""
    from shared.bootstrap import relay

    await (await relay()).services.poisoned.changes(inbound_message(message))
    logger.warning("a message of profile changes failed at every delivery and is in quarantine: %s", message.id)


@blueprint.function_name("bury_poisoned_retry")
@blueprint.queue_trigger(arg_name="pointer", queue_name="export-retries-poison", connection="RELAY_STORAGE")
@ends
async def bury_poisoned_retry(pointer: func.QueueMessage) -> None:
    """Mark an export dead whose retry failed at every delivery."""
    from shared.adapters.queues.pointers import RETRIES
    from shared.bootstrap import relay

    if (decoded := pointer_or_none(RETRIES, pointer)) is None:
        return
    await (await relay()).services.poisoned.pointer(decoded)
