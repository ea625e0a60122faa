"""What a profile's row says is due: the outbox, kept for a day, and what is left of it after that."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from shared.domain.profile import last_told
from shared.domain.profile.audience_transitions import AudienceTransition, Transitions


@dataclass(frozen=True, slots=True)
class DueExports:
    """The exports that one applied change calls for: destination id -> reasons. `saved_at` is in seconds.

    `transitions`: destination id -> what it must be told of, at `version`; only those that there is something for.
    """

    saved_at: int
    version: int
    reasons: dict[str, list[str]]
    transitions: dict[str, Transitions] = field(default_factory=dict)

    def transitions_document(self) -> dict[str, Any]:
        return {each: [one.to_list() for one in those] for each, those in self.transitions.items()}

    @classmethod
    def of_document(cls, entry: list[Any], transitions: dict[str, Any]) -> "DueExports":
        saved_at, version, reasons = entry
        told = {each: tuple(AudienceTransition(version, *one) for one in those) for each, those in transitions.items()}
        return cls(saved_at, version, reasons, told)


def let_go(due: dict[str, DueExports], told: last_told.Marks, items: Iterable[str]) -> last_told.Marks:
    """Take `items` out of what is due; `told` with what they told destinations to which nothing later is due."""
    gone = [due.pop(item) for item in items]
    still_due: dict[str, int] = {}
    for each in due.values():
        for destination_id in each.reasons:
            still_due[destination_id] = max(each.version, still_due.get(destination_id, 0))
    for each in gone:
        last = {whom: why for whom, why in each.reasons.items() if still_due.get(whom, 0) < each.version}
        last_told.remember(told, each.version, last)
    return last_told.latest(told)
