"""What a live mapping and a candidate came to of the same changes: counts that add up, over instances and over time."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Made: TypeAlias = tuple[str, int]
"""An export that was called for: its reasons, joined with commas, and the bytes of its body."""


@dataclass(slots=True)
class ExportCounts:
    """`by_reason`: exports by their reasons, joined with commas; `bytes` of their bodies."""

    by_reason: Counter[str] = field(default_factory=Counter)
    bytes: int = 0

    @property
    def exports(self) -> int:
        return self.by_reason.total()

    def add(self, made: Made) -> None:
        reasons, size = made
        self.by_reason[reasons] += 1
        self.bytes += size

    def merge(self, other: "ExportCounts") -> None:
        self.by_reason.update(other.by_reason)
        self.bytes += other.bytes

    def to_list(self) -> list[Any]:
        return [dict(self.by_reason), self.bytes]

    @classmethod
    def from_list(cls, document: list[Any]) -> "ExportCounts":
        by_reason, size = document
        return cls(Counter(by_reason), size)


@dataclass(slots=True)
class ShadowCounts:
    """`both`: changes that both mappings export; `differing`: how many of these with bodies that differ."""

    live: ExportCounts = field(default_factory=ExportCounts)
    candidate: ExportCounts = field(default_factory=ExportCounts)
    both: int = 0
    differing: int = 0

    @property
    def only_live(self) -> int:
        return self.live.exports - self.both

    @property
    def only_candidate(self) -> int:
        return self.candidate.exports - self.both

    def add(self, live: Made | None, candidate: Made | None, *, differ: bool) -> None:
        """Count what one change called for; `differ`: their bodies do."""
        if live is not None:
            self.live.add(live)
        if candidate is not None:
            self.candidate.add(candidate)
        if live is not None and candidate is not None:
            self.both += 1
            self.differing += differ

    def merge(self, other: "ShadowCounts") -> None:
        """Add what `other` counts."""
        self.live.merge(other.live)
        self.candidate.merge(other.candidate)
        self.both += other.both
        self.differing += other.differing

    def to_document(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "live": self.live.to_list(),
            "candidate": self.candidate.to_list(),
            "both": self.both,
            "differing": self.differing,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "ShadowCounts":
        return cls(
            ExportCounts.from_list(document["live"]),
            ExportCounts.from_list(document["candidate"]),
            document["both"],
            document["differing"],
        )
