"""How much destinations have not heard of, counted for people who look again and again."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from shared.domain.instants import SECOND, within
from shared.ports.time import Clock
from shared.ports.undelivered import COUNTED, UndeliveredCount, UndeliveredStore

MANY = 1_000
"""What is counted by one request is counted anew each time."""
REMEMBERED_FOR = 15 * SECOND
Counted = TypeVar("Counted")


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeliveredCounts:
    """Of more than a thousand rows, which take seconds to count, a count is good enough for 15 seconds."""

    undelivered: UndeliveredStore
    clock: Clock
    _known: dict[str, tuple[int, Any]] = field(default_factory=dict)

    async def of(self, destination_id: str) -> UndeliveredCount:
        """How many rows one destination has. Raises StorageError."""
        return await self._counted(
            destination_id, lambda: self.undelivered.count(destination_id, COUNTED), lambda count: count.total
        )

    async def by_destination(self) -> dict[str, UndeliveredCount]:
        """How many rows there are, by the id of each destination that has some. Raises StorageError."""
        return await self._counted(
            "", lambda: self.undelivered.counts(COUNTED), lambda counts: sum(each.total for each in counts.values())
        )

    async def _counted(
        self, what: str, count: Callable[[], Awaitable[Counted]], total: Callable[[Counted], int]
    ) -> Counted:
        now = self.clock()
        if (known := self._known.get(what)) and within(now - known[0], REMEMBERED_FOR):
            return cast(Counted, known[1])
        found = await count()
        if total(found) > MANY:
            self._known[what] = self.clock(), found
        else:
            self._known.pop(what, None)
        return found
