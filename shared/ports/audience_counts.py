"""What counting the members of audiences needs of the outside."""

from typing import Protocol

from shared.domain.audiences.counts import CountedAudiences


class AudienceCountStore(Protocol):
    """What sweeps have counted, a row for each."""

    async def put(self, counted: CountedAudiences) -> None:
        """Keep it, in place of what is there of the same moment. Raises StorageError."""

    async def since(self, at: int) -> list[CountedAudiences]:
        """What was counted at `at` (microseconds) or later, the oldest first. Raises StorageError."""

    async def forget(self, before: int) -> None:
        """Delete what was counted before then. Raises StorageError."""
