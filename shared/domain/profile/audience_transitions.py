"""That a profile entered or left an audience, as one destination is told of it: at least once, under one id."""

import hashlib
from collections.abc import Iterable
from enum import IntEnum
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, NamedTuple, TypeAlias

from shared.domain.profile.memberships import AudienceKey


class TransitionKind(IntEnum):
    """What made it. The first three are what the membership's register says after it, numbered as Strength is."""

    EXITED = 0
    REALIZED = 1
    EXPIRED = 2
    CONSENT_GIVEN = 3
    CONSENT_WITHDRAWN = 4


_ENTERING = frozenset({1, 3})
"""As plain numbers, which are compared in a fraction of the time that an enumeration's members take."""


class AudienceTransition(NamedTuple):
    """In the order in which they happened. `version` is the profile's after it, `at` the clock (microseconds) of the
    register that made it: the membership's, or the consent's.
    """

    version: int
    at: int
    kind: int
    namespace: str
    audience_id: str

    @property
    def audience(self) -> AudienceKey:
        return self.namespace, self.audience_id

    @property
    def entered(self) -> bool:
        """Else the profile left the audience."""
        return self.kind in _ENTERING

    def id_for(self, destination_id: str, profile_id: str) -> str:
        """The same however often and in whatever export it is told; begins with `entered-` or `left-`."""
        # A JSON list, put together by hand: each export that tells of a transition pays for this.
        whom = f"{_quoted(destination_id)}, {_quoted(profile_id)}"
        what = f"{self.at}, {self.kind:d}, {_quoted(self.namespace)}, {_quoted(self.audience_id)}"
        digest = hashlib.sha256(f"[{whom}, {what}]".encode()).hexdigest()
        return f"{'entered' if self.entered else 'left'}-{digest[:32]}"

    def to_list(self) -> list[Any]:
        """Without the version."""
        return list(self[1:])


Transitions: TypeAlias = tuple[AudienceTransition, ...]


def merged(*several: Iterable[AudienceTransition]) -> Transitions:
    """All of them once, in their order."""
    together = sorted((transition for transitions in several for transition in transitions), reverse=True)
    once = {transition[1:]: transition for transition in together}
    return tuple(sorted(once.values()))
