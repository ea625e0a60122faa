"""The queue `backfill-slices`: which slice is to be worked on next."""

import json

from shared.adapters.queues import Queue
from shared.services.backfill_ports import SlicePointer

NAME = "backfill-slices"


class StorageSliceQueue:
    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    async def put(self, pointer: SlicePointer) -> None:
        document = {"backfillId": pointer.backfill_id, "bucket": pointer.bucket, "sequence": pointer.sequence}
        await self._queue.put(json.dumps(document))


def decode_pointer(body: bytes) -> SlicePointer:
    """Raises ValueError for what is no pointer."""
    try:
        document = json.loads(body)
        return SlicePointer(str(document["backfillId"]), int(document["bucket"]), int(document["sequence"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"queue {NAME}: expected backfillId, bucket and sequence") from error
