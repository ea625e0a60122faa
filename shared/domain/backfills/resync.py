"""A resync: who of a dataflow is exported once more because somebody asked."""

import hashlib
from dataclasses import dataclass
from typing import Any

from shared.domain.instants import parse_instant
from shared.domain.jsonvalue import canonical_json
from shared.domain.messages.resync_item import KeyRange, SavedSince, Scope, SomeProfiles
from shared.domain.profile_key import profile_key

_KEY_DIGITS = 64


@dataclass(frozen=True, slots=True)
class ResyncOrder:
    """What a resync is about, as it is kept. Hashes stand for profiles: no id is kept.

    `scope` is its type, `fingerprint` tells scopes apart. `since` is in microseconds, 0 for ever; `first` and `last`
    are the least and the greatest key, empty for all. `profiles` is how many were named, `keys` theirs in order, until
    it has ended. `joined`: the id of the resync that it was taken for.
    """

    scope: str
    fingerprint: str
    since: int = 0
    first: str = ""
    last: str = ""
    profiles: int = 0
    keys: tuple[str, ...] = ()
    joined: str = ""

    @classmethod
    def of(cls, scope: Scope) -> "ResyncOrder":
        """Raises ValueError for a range that is none."""
        if isinstance(scope, SomeProfiles):
            keys = tuple(sorted({profile_key(each) for each in scope.profile_ids}))
            return cls(scope.type, _fingerprint(scope.type, keys), profiles=len(keys), keys=keys)
        if isinstance(scope, SavedSince):
            since = parse_instant(scope.since)
            return cls(scope.type, _fingerprint(scope.type, since), since=since)
        if isinstance(scope, KeyRange):
            first, last = scope.first.ljust(_KEY_DIGITS, "0"), scope.last.ljust(_KEY_DIGITS, "f")
            if first > last:
                raise ValueError("/scope/last: expected it not to be below first")
            return cls(scope.type, _fingerprint(scope.type, [first, last]), first=first, last=last)
        return cls(scope.type, _fingerprint(scope.type, scope.model_dump()))

    @property
    def after(self) -> str:
        """The key behind which the scope begins; empty for the very beginning."""
        return "" if not self.first.strip("0") else f"{int(self.first, 16) - 1:0{_KEY_DIGITS}x}"


def _fingerprint(kind: str, meant: Any) -> str:
    return hashlib.sha256(canonical_json([kind, meant]).encode()).hexdigest()[:16]
