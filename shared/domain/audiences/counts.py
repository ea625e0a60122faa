"""How many profiles are in an audience: as the last sweep counted, and who entered and left since."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.domain.instants import format_instant
from shared.domain.profile.memberships import AudienceKey
from shared.domain.runs import MOST_AUDIENCES, Crossings


@dataclass(frozen=True, slots=True)
class CountedAudiences:
    """What a sweep counted as of `at` (microseconds); audiences without members are left out. `crossings`: from `since`
    until then.
    """

    at: int
    since: int
    members: Mapping[AudienceKey, int]
    crossings: Crossings

    def members_in(self, audience: AudienceKey) -> int | None:
        """None where it is not known: the sweep had more audiences to count than it counts."""
        unknown = None if len(self.members) >= MOST_AUDIENCES else 0
        return self.members.get(audience, unknown)


@dataclass(frozen=True, slots=True)
class Crossed:
    """Who entered and left from `since` (microseconds) until now."""

    since: int
    entered: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class CountedDay:
    """What a sweep counted at `at`, None where it did not; `entered` and `left`: since the sweep before it."""

    at: int
    members: int | None
    entered: int
    left: int


@dataclass(frozen=True, slots=True)
class AudienceCount:
    """`counted` profiles were in the audience at `counted_at` (microseconds); both None before the first sweep.

    `since_counted`: who crossed since then. `hour`, `week` and `month`: in the last hour, 7 and 30 days; the latter two
    begin with a sweep, so they are up to a day longer. `days`: of the sweeps of the last 30 days, the oldest first.
    """

    counted: int | None = None
    counted_at: int | None = None
    since_counted: Crossed = Crossed(0)
    hour: Crossed = Crossed(0)
    week: Crossed = Crossed(0)
    month: Crossed = Crossed(0)
    days: tuple[CountedDay, ...] = field(default=())

    @property
    def members(self) -> int | None:
        """How many there are by now, None where nobody knows; off by what was lost with an instance that was killed."""
        if self.counted is None:
            return None
        return max(0, self.counted + self.since_counted.entered - self.since_counted.left)

    @property
    def text(self) -> str:
        """As people read it: `about 12,400, counted 03:00, +120 since`; times are UTC."""
        if self.counted is None or self.counted_at is None:
            return "not counted yet: the next sweep does it"
        change = self.since_counted.entered - self.since_counted.left
        about = "about " if self.since_counted.entered or self.since_counted.left else ""
        since = f", {change:+,} since" if about else ""
        return f"{about}{self.counted:,}, counted {format_instant(self.counted_at)[11:16]}{since}"
