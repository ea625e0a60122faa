"""`give_back_messages`: what a worker had in hand that is gone."""

import json
import logging

import azure.functions as func

from shared.triggers.inbound import decoded_or_none
from shared.triggers.invocation import ends

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@blueprint.function_name("give_back_messages")
@blueprint.queue_trigger(arg_name="note", queue_name="messages-in-hand", connection="RELAY_STORAGE")
@ends
async def give_back_messages(note: func.QueueMessage) -> None:
    """Give back the messages of a note that nobody renewed: whoever wrote it has gone."""
    from shared.adapters.queues.in_hand import decode_note  # here, so that indexing does not load the SDKs
    from shared.bootstrap import relay

    if (noted := await decoded_or_none(decode_note, note)) is None:
        return
    given_back = await (await relay()).services.hold_messages.give_back(noted)
    logger.info("gave back %s", json.dumps({"noted": len(noted), "givenBack": given_back}))
