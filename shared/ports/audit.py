"""Who changed what, when: noted before it is tried, and again with what came of it."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(slots=True)
class AuditEntry:
    """`at` in microseconds; `what` is the request's method and path. `status` is the answer's, 0 before there is one.

    An entry that stays at 0 tells of a request that was cut off: it may have been carried out.
    """

    at: int
    who: str
    what: str
    id: str = ""
    status: int = 0
    details: list[str] = field(default_factory=list)


class AuditLog(Protocol):
    async def begin(self, entry: AuditEntry) -> None:
        """Note that `entry` is tried, and give it its id. Raises StorageError."""

    async def end(self, entry: AuditEntry) -> None:
        """Note what came of it. Raises StorageError."""

    async def newest_first(self, limit: int, before: str = "") -> list[AuditEntry]:
        """At most `limit` entries, from behind the one with the id `before` on. Raises StorageError."""
