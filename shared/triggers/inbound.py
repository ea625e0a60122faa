"""From the host's queue message to the services' own."""

from typing import TYPE_CHECKING

import azure.functions as func

if TYPE_CHECKING:
    from shared.services.export_changes import InboundMessage


def inbound_message(message: func.QueueMessage) -> "InboundMessage":
    from shared.services.export_changes import InboundMessage  # here, so that indexing does not load pydantic

    inserted = message.insertion_time
    received_at = int(inserted.timestamp() * 1_000_000) if inserted else 0
    return InboundMessage(message.id or "", message.get_body(), received_at)
