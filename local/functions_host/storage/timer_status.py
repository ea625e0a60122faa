"""What a timer remembers between runs of the host: when it ran last, and when it is to run next."""

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from shared.domain.ncrontab import Schedule

from .listener_lock import write_blob
from .requests import BlobRequests, StorageRequestError
from .retries import Uniform, retried

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class TimerStatus:
    """Times in UTC; `last` is year 1 before the first run."""

    next: datetime
    last: datetime = _NEVER
    updated: datetime = _NEVER

    def as_json(self) -> dict[str, str]:
        """As the host writes it, and as functions see it."""
        return {
            "Last": self.last.isoformat(),
            "Next": self.next.isoformat(),
            "LastUpdated": self.updated.isoformat(),
        }

    def missed(self, schedule: Schedule, now: datetime) -> bool:
        """Whether an occurrence passed unseen; under another schedule than that of the last run none did."""
        since = self.updated if self.last == _NEVER else self.last
        return schedule.next_after(since) == self.next and self.next < now


class TimerStatusStore(Protocol):
    async def read(self) -> TimerStatus | None: ...

    async def write(self, status: TimerStatus) -> None: ...


class BlobTimerStatus:
    """A timer's status in a blob. Raises StorageRequestError."""

    def __init__(self, blobs: BlobRequests, blob: str, uniform: Uniform = random.uniform) -> None:
        self._blobs = blobs
        self._blob = blob
        self._uniform = uniform

    async def read(self) -> TimerStatus | None:
        try:
            content = await retried(lambda: self._blobs.read(self._blob), self._uniform)
        except StorageRequestError as error:
            if error.status == 404:
                return None
            raise
        # The real host writes the year 1 without an offset.
        values = {name: datetime.fromisoformat(text).replace(tzinfo=UTC) for name, text in json.loads(content).items()}
        return TimerStatus(last=values["Last"], next=values["Next"], updated=values["LastUpdated"])

    async def write(self, status: TimerStatus) -> None:
        await write_blob(self._blobs, self._blob, json.dumps(status.as_json()).encode(), self._uniform)
