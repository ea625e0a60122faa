"""What the last exports need of the outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.domain.exports.sent_export import SentExport


@dataclass(slots=True)
class InstanceExports:
    """The last exports to a destination by one instance, as read with `etag`."""

    destination_id: str
    instance: str
    exports: Sequence[SentExport]
    etag: str


class LastExportsStore(Protocol):
    """A row for each destination and instance: an instance writes its own alone, so nobody waits for another.

    Rows are read in no particular order. Every method raises StorageError.
    """

    async def put(self, destination_id: str, instance: str, exports: Sequence[SentExport]) -> None:
        """Let `exports`, at least one, be the instance's last to the destination, whatever was there."""

    async def of(self, destination_id: str) -> list[InstanceExports]:
        """What each instance last sent to the destination."""

    async def with_profile(self, profile_key: str) -> list[InstanceExports]:
        """The rows that have an export of the profile."""

    async def with_older(self, before: int) -> list[InstanceExports]:
        """The rows that have an export from before that instant (microseconds)."""

    async def replace(self, row: InstanceExports) -> None:
        """Let the row have these exports; without any, it goes. Raises ConflictError if it is another by now."""
