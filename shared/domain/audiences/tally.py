"""What a slice of a sweep has counted so far: how many profiles were in each audience when the sweep's slot began."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.domain.backfills.backfill import Slice
from shared.domain.instants import MINUTE
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile.state import ProfileState
from shared.domain.runs import MOST_AUDIENCES, flat, nested, slot_of


@dataclass(slots=True)
class Tally:
    """`members` of each audience among `profiles` that were looked at; `at` is the moment as of which, microseconds."""

    at: int
    profiles: int = 0
    members: dict[AudienceKey, int] = field(default_factory=dict)

    def add(self, state: ProfileState) -> None:
        """Of more than MOST_AUDIENCES, some are not counted."""
        self.profiles += 1
        for audience in state.audiences_at(self.at):
            if audience in self.members or len(self.members) < MOST_AUDIENCES:
                self.members[audience] = self.members.get(audience, 0) + 1

    def to_text(self) -> str:
        document = {"profiles": self.profiles, "members": nested(self.members)}
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def of(cls, part: Slice, requested_at: int) -> "Tally":
        """What the slice has counted, of a sweep that was asked for at `requested_at`."""
        document = json.loads(part.tally) if part.tally else {}
        return cls(counted_at(requested_at), document.get("profiles", 0), flat(document.get("members", {})))


def counted_at(requested_at: int) -> int:
    """As of when a sweep counts that was asked for then: the beginning of a slot, so long before that what was decided
    on until then is saved by now.
    """
    return slot_of(requested_at - MINUTE)


def members_of(parts: Iterable[Slice], requested_at: int) -> dict[AudienceKey, int] | None:
    """What all slices of a sweep have counted together; None where an instance of a release that does not count took
    part.
    """
    members: dict[AudienceKey, int] = {}
    for part in parts:
        tally = Tally.of(part, requested_at)
        if tally.profiles != part.members:
            return None
        for audience, count in tally.members.items():
            members[audience] = members.get(audience, 0) + count
    return members
