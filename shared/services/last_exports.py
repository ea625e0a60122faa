"""The last exports that this instance had acknowledged, for somebody to look at: in memory alone, a few of each
destination.
"""

from collections import deque
from dataclasses import dataclass, replace

from shared.domain.export import Export
from shared.domain.instants import MINUTE, within
from shared.services.ports import Clock

KEPT = 20
"""Of each destination."""
SHOWN_FOR = 60 * MINUTE
LARGEST_BODY = 16 * 1024


@dataclass(frozen=True, slots=True)
class SentExport:
    """`at`: when the hub acknowledged it, in microseconds. The body is empty where it was larger than LARGEST_BODY;
    `size` tells how large, in bytes.
    """

    at: int
    size: int
    export: Export


class LastExports:
    """`since` is when the instance started, in microseconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_destination: dict[str, deque[tuple[int, int, Export]]] = {}
        self.since = clock()

    def add(self, export: Export, at: int) -> None:
        """Part of every export's way, so nothing is copied or read here."""
        last = self._by_destination.get(export.destination.id)
        if last is None:
            last = self._by_destination[export.destination.id] = deque(maxlen=KEPT)
        size = len(export.body)
        last.append((at, size, export if size <= LARGEST_BODY else replace(export, body=b"")))

    def of(self, destination_id: str) -> list[SentExport]:
        """The latest first; those older than SHOWN_FOR are forgotten."""
        last = self._by_destination.get(destination_id, deque())
        while last and not within(self._clock() - last[0][0], SHOWN_FOR):
            last.popleft()
        return [SentExport(at, size, export) for at, size, export in reversed(last)]
