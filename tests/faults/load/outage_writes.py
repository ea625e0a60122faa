"""What an outage costs: the app's writes to tables while something cannot be sent, for each change sent meanwhile."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from local.storage_faults.control import StorageFaults
from local.storage_faults.counts import CountedRequest
from tests.faults.load.model import Pair
from tests.faults.load.storage import Storage


@dataclass(frozen=True)
class OutageCost:
    """Requests that write rows, each attempt by itself, to the table Undelivered and to `all_tables`.

    `changes` are the distinct ones that were first sent meanwhile, `rows` those in Undelivered at the end;
    `more_than_one_row` are the (destination, profile) that have several.
    """

    changes: int
    undelivered: int
    all_tables: int
    rows: int
    more_than_one_row: list[Pair]

    @property
    def undelivered_per_change(self) -> float:
        return self.undelivered / self.changes

    @property
    def all_tables_per_change(self) -> float:
        return self.all_tables / self.changes

    def __str__(self) -> str:
        return (
            f"{self.changes:,} changes sent during the outage, {self.undelivered:,} writes to Undelivered, "
            f"{self.all_tables:,} writes to all tables, {self.rows:,} rows in Undelivered at its end"
        )


class OutageWrites:
    """`proxy` counts what the app asks of storage; without one nothing is counted, and `cost` stays None."""

    def __init__(self, storage: Storage, proxy: StorageFaults | None) -> None:
        self.storage = storage
        self._proxy = proxy
        self.cost: OutageCost | None = None

    @asynccontextmanager
    async def counted(self) -> AsyncIterator[None]:
        """Around an outage. One in which no change was sent has no cost for each."""
        if self._proxy is None:
            yield
            return
        before, began = await asyncio.to_thread(self._proxy.requests), time.time()
        yield
        after, ended = await asyncio.to_thread(self._proxy.requests), time.time()
        rows = Counter(await self.storage.undelivered_rows())
        changes = sum(began <= sent_at <= ended for sent_at in self.storage.sent_at.values())
        if changes:
            self.cost = OutageCost(
                changes=changes,
                undelivered=_writes(after - before, "Undelivered"),
                all_tables=_writes(after - before),
                rows=rows.total(),
                more_than_one_row=[pair for pair, count in rows.items() if count > 1],
            )


def _writes(requests: Counter[CountedRequest], table: str | None = None) -> int:
    """How many of `requests` write rows of `table`, or of any."""
    return sum(
        count for request, count in requests.items() if request.writes_rows and table in (None, request.resource)
    )
