"""The queues and tables of the stack as the load sees them: messages in, what is left over, what was given up."""

import asyncio
import time
from collections.abc import Sequence

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from local.stack.local_stack import CHANGES_QUEUE, QUEUES
from tests.faults.load.messages import Message
from tests.faults.load.model import Pair
from tests.faults.load.progress import Progress

MOST_WAITING = 120
"""Messages; Azurite takes ever longer to delete one the more there are."""
POISON_QUEUES = tuple(f"{name}-poison" for name in QUEUES)
_POLL_SECONDS = 0.2
_MESSAGES_BETWEEN_POLLS = 20


class Storage:
    """An async context manager over the storage account itself, past whatever faults are put before it."""

    def __init__(self, connection_string: str) -> None:
        self._queues = QueueServiceClient.from_connection_string(connection_string, use_env_settings=False)
        self._tables = TableServiceClient.from_connection_string(connection_string, use_env_settings=False)
        self.sent_at: dict[Pair, float] = {}
        """When each change, as (profile id, occurredAt), was first put on the queue; seconds since the epoch."""

    async def __aenter__(self) -> "Storage":
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(self._queues.close(), self._tables.close())

    async def send(self, messages: Sequence[Message], progress: Progress, *, begin: float, end: float) -> None:
        """Put `messages` on the queue, which takes `progress` from `begin` to `end`; never many at once."""
        queue = self._queues.get_queue_client(CHANGES_QUEUE)
        for number, message in enumerate(messages, start=1):
            if number % _MESSAGES_BETWEEN_POLLS == 0:
                await self.at_most_waiting(MOST_WAITING)
            now = time.time()
            for change in message.changes:
                self.sent_at.setdefault((change["profileId"], change["occurredAt"]), now)
            await queue.send_message(message.text)
            await progress.advance(begin + (end - begin) * number / len(messages))

    async def waiting(self, queues: Sequence[str] = QUEUES) -> int:
        """How many messages are on `queues`, those that a host has taken included."""
        properties = await asyncio.gather(
            *(self._queues.get_queue_client(name).get_queue_properties() for name in queues)
        )
        return sum(each.approximate_message_count or 0 for each in properties)

    async def at_most_waiting(self, messages: int) -> None:
        """Return when no more than that are on the queues."""
        while True:
            if await self.waiting() <= messages:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def undelivered(self) -> dict[Pair, str]:
        """(destination id, profile id) -> state of what could not be sent."""
        rows = await self._rows("Undelivered", ["destinationId", "profileId", "state"])
        return {(row["destinationId"], row["profileId"]): row["state"] for row in rows}

    async def undelivered_rows(self) -> list[Pair]:
        """(destination id, profile id) of each row: what its columns say, whatever its keys are."""
        rows = await self._rows("Undelivered", ["destinationId", "profileId"])
        return [(row["destinationId"], row["profileId"]) for row in rows]

    async def running_backfills(self) -> int:
        """How many are at work, or wait for slices that were lost."""
        return [row["state"] for row in await self._backfills()].count("running")

    async def unfinished_backfills(self) -> int:
        """Those that are still to come included, once the timer has taken note of them."""
        return sum(row["state"] in {"waiting", "running"} for row in await self._backfills())

    async def _backfills(self) -> list[dict[str, str]]:
        rows = await self._rows("Backfills", ["PartitionKey", "state"])
        return [row for row in rows if row["PartitionKey"] == "backfills"]

    async def quarantined(self) -> list[str]:
        """The reason of everything in quarantine."""
        return [row["reason"] for row in await self._rows("Quarantine", ["reason"])]

    async def _rows(self, table: str, columns: list[str]) -> list[dict[str, str]]:
        client = self._tables.get_table_client(table)
        try:
            return [dict(row) async for row in client.list_entities(select=columns)]
        except ResourceNotFoundError:
            return []
