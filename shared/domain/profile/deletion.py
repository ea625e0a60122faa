"""That a profile was deleted: what is still there of it meanwhile, and who must hear of it first."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.domain.profile.memberships import AudienceKey


class DeletionPhase(StrEnum):
    """`leaving`: identities and memberships, all exited, are kept for the last exports. `cleaning`: they are gone from
    the state, and what other tables have of the profile is being deleted. `done`: nothing else is left of it.
    """

    LEAVING = "leaving"
    CLEANING = "cleaning"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Deletion:
    """Everything written until `at` (microseconds) is gone, or is going; `saved_at` is in seconds.

    `owed`: destinations that have not acknowledged the last export. `audiences`: those whose index rows are to be
    deleted, once the state does not have them any more.
    """

    at: int
    saved_at: int
    phase: DeletionPhase
    owed: tuple[str, ...] = ()
    audiences: tuple[AudienceKey, ...] = ()

    def to_document(self) -> list[Any]:
        return [self.at, self.saved_at, str(self.phase), list(self.owed), [list(key) for key in self.audiences]]

    @classmethod
    def from_document(cls, document: list[Any]) -> "Deletion":
        at, saved_at, phase, owed, audiences = document
        keys = tuple((namespace, audience_id) for namespace, audience_id in audiences)
        return cls(at, saved_at, DeletionPhase(phase), tuple(owed), keys)
