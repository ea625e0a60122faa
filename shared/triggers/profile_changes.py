"""`export_profile_changes`: the queue trigger of the main job."""

import json
import logging
import time

import azure.functions as func

from shared.triggers.inbound import inbound_message
from shared.triggers.invocation import ends
from shared.triggers.timers import after_message

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@blueprint.function_name("export_profile_changes")
@blueprint.queue_trigger(arg_name="message", queue_name="%PROFILE_CHANGES_QUEUE%", connection="RELAY_STORAGE")
@ends
async def export_profile_changes(message: func.QueueMessage) -> None:
    """Remember, decide, export. A failure of storage is raised, so that the queue delivers the message again."""
    from shared.bootstrap import relay  # here, so that indexing the functions does not load the SDKs

    started = time.monotonic()
    services = (await relay()).services
    outcome = await services.export_changes.handle(inbound_message(message))
    seconds = round(time.monotonic() - started, 3)
    logger.info("exported %s", json.dumps({"message": message.id, "seconds": seconds, **outcome.summary()}))
    await after_message(services)
