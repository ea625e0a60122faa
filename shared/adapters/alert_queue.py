"""The queue `alert-deliveries`: pointers to deliveries that are to be attempted."""

import json

from shared.adapters.queues import Queue
from shared.services.alert_ports import DeliveryPointer

NAME = "alert-deliveries"


class StorageDeliveryQueue:
    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    async def put(self, pointer: DeliveryPointer, delay: float) -> None:
        await self._queue.put(encode_pointer(pointer), delay)


def encode_pointer(pointer: DeliveryPointer) -> str:
    return json.dumps(
        {"eventId": pointer.event_id, "subscriptionId": pointer.subscription_id, "attempt": pointer.attempt}
    )


def decode_pointer(body: bytes) -> DeliveryPointer:
    """Raises ValueError for what is no pointer."""
    try:
        document = json.loads(body)
        return DeliveryPointer(str(document["eventId"]), str(document["subscriptionId"]), int(document["attempt"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"queue {NAME}: expected eventId, subscriptionId and attempt") from error
