"""`export_profile_changes`: the queue trigger of the main job."""

import json
import logging
import time

import azure.functions as func

from shared.triggers.inbound import in_hand, inbound_message
from shared.triggers.invocation import ends
from shared.triggers.timers import after_message

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@blueprint.function_name("export_profile_changes")
@blueprint.queue_trigger(arg_name="message", queue_name="%PROFILE_CHANGES_QUEUE%", connection="RELAY_STORAGE")
@ends
async def export_profile_changes(message: func.QueueMessage) -> None:
    """Remember, decide, export. A failure of storage is raised, so that the queue delivers the message again."""
    started = time.monotonic()
    async with in_hand("changes", message) as services:
        outcome = await services.export_changes.handle(inbound_message(message))
        seconds = round(time.monotonic() - started, 3)
        logger.info("exported %s", json.dumps({"message": message.id, "seconds": seconds, **outcome.summary()}))
        await after_message(services)
