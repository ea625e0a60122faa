"""What the workers tell each other of destinations: which are down, and which somebody wants redriven."""

from dataclasses import dataclass, field
from typing import Protocol

from shared.domain.exports.recovery import Recovery
from shared.domain.instants import within


@dataclass(frozen=True, slots=True)
class DestinationTrouble:
    """A destination that is down since `since`, or, once `recovering`, answers again since then (microseconds).

    `half_open_since`: since when one that is down is sent changes all the same, for nothing waits to probe it with; 0
    where it is not. `code` is a FailureCode; None in rows of release 0.1. `etag` is of the row that was read.
    """

    destination_id: str
    recovering: bool
    since: int
    error: str
    half_open_since: int = 0
    code: str | None = None
    etag: str | None = field(default=None, compare=False)

    def may_be_believed(self, now: int, grace: int) -> bool:
        """Whether a worker may still take the destination for down, and count on what it parked to be there: until
        `grace` microseconds after it has answered.
        """
        return not self.recovering or within(now - self.since, grace)


@dataclass(frozen=True, slots=True)
class RedriveRequest:
    """Somebody asked, at `requested_at` (microseconds), to try all that a destination has undelivered.

    It says nothing about the destination's health. `etag` is of the row that was read.
    """

    destination_id: str
    requested_at: int
    etag: str | None = field(default=None, compare=False)


class HealthStore(Protocol):
    async def load(self) -> dict[str, DestinationTrouble]:
        """Every destination that is not healthy, by its id. Raises StorageError."""

    async def put(self, trouble: DestinationTrouble) -> None:
        """Say it to all workers; each hears of it when it next reads the configuration. Raises StorageError."""

    async def replace(self, trouble: DestinationTrouble) -> None:
        """The same, if the row is still the one read (`etag`). Raises ConflictError if it is not, StorageError."""

    async def clear(self, trouble: DestinationTrouble) -> None:
        """The destination is healthy, if the row is still the one read. Raises ConflictError if not, StorageError."""

    async def requests(self) -> dict[str, RedriveRequest]:
        """The redrives that were asked for and are not done, by destination id. Raises StorageError."""

    async def request(self, redrive: RedriveRequest) -> None:
        """Ask for a redrive, also where one was asked for already. Raises StorageError."""

    async def fulfil(self, redrive: RedriveRequest) -> None:
        """It is done. Raises ConflictError if it was asked for again since it was read, StorageError."""

    async def recoveries(self) -> dict[str, Recovery]:
        """How far redrives are, by destination id; some may be over. Raises StorageError."""

    async def note_recovery(self, recovery: Recovery) -> None:
        """In the place of what was noted of the destination before. Raises StorageError."""

    async def end_recovery(self, destination_id: str) -> None:
        """None there is no error. Raises StorageError."""
