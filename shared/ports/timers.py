"""What the workers tell each other of the timers: when each ran last."""

from typing import Protocol

from shared.domain.timers import TimerRun


class TimerStore(Protocol):
    async def load(self) -> dict[str, TimerRun]:
        """The last run of each timer, by its name. Raises StorageError."""

    async def put(self, run: TimerRun) -> None:
        """Say that it ran, whatever is there. Raises StorageError."""

    async def save(self, run: TimerRun) -> None:
        """Save the row if it is still the one read, or if there is still none. Raises ConflictError, StorageError."""
