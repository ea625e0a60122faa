"""What alerts need of what was counted."""

from dataclasses import dataclass

from shared.domain import runs
from shared.domain.instants import SECOND
from shared.services.alert_ports import ExportSlot
from shared.services.run_history import RunHistory


@dataclass(frozen=True, slots=True)
class _Counts:
    counts: runs.RunCounts

    @property
    def activated(self) -> int:
        return self.counts.activated.total()

    @property
    def failed(self) -> int:
        return self.counts.failed

    @property
    def dead(self) -> int:
        return self.counts.dead

    @property
    def parked(self) -> int:
        return self.counts.parked

    def latency_quantile(self, p: float) -> float | None:
        quantile = self.counts.latency.quantile(p)
        return None if quantile is None else quantile / SECOND


class CountedExports:
    """The slots that overlap the time asked for, as one: the last ten minutes are the slot that runs and the one
    before, as there is no shorter one.
    """

    def __init__(self, history: RunHistory) -> None:
        self._history = history

    async def read(self, destination_id: str, since: int, until: int, step: int) -> list[ExportSlot]:
        """Raises StorageError."""
        counted = await self._history.totals(destination_id, since, until)
        return [ExportSlot(since, _Counts(counted))]
