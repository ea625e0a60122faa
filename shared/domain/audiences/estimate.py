"""What a backfill will come to, before anybody asks for it: from counts alone, without looking at a profile."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain.audiences import prices
from shared.domain.audiences.counts import AudienceCount
from shared.domain.configuration.model import Configuration, RequestedBackfill
from shared.domain.profile.memberships import AudienceKey

ASSUMED_EVENT_BYTES = 1_024
"""Where the destination got no export in the last day to go by."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`per_second` exports, of `event_bytes` each; `measured`: of exports of the last day, else assumed."""

    per_second: float
    event_bytes: int
    measured: bool


@dataclass(frozen=True, slots=True)
class BackfillEstimate:
    """`audiences` are those whose members it exports; `uncounted` those among them that nobody has counted yet.

    `events`: the members of all the others, so at most as many as are exported of these, for a profile in several comes
    once. `seconds`: at the pace of one instance. `throughput_units`: what of a namespace is busy meanwhile. `dollars`:
    at list price, for events, throughput units, table requests and the instance. `more`: what changed during a pause is
    exported besides, which is not counted.
    """

    destination_id: str
    audiences: tuple[AudienceKey, ...]
    uncounted: tuple[AudienceKey, ...]
    events: int
    pace: Pace
    more: bool = False

    @property
    def seconds(self) -> float:
        return self.events / self.pace.per_second

    @property
    def throughput_units(self) -> int:
        a_second = max(
            self.pace.per_second / prices.UNIT_EVENTS, self.pace.per_second * self.pace.event_bytes / prices.UNIT_BYTES
        )
        return max(1, math.ceil(a_second)) if self.events else 0

    @property
    def dollars(self) -> float:
        billed = self.events * max(1, math.ceil(self.pace.event_bytes / prices.BILLED_EVENT_BYTES))
        return (
            billed * prices.HUB_EVENT
            + self.throughput_units * self.seconds / 3_600 * prices.THROUGHPUT_UNIT_HOUR
            + self.events * prices.TABLE_REQUEST
            + self.seconds * prices.INSTANCE_GIGABYTES * prices.GIGABYTE_SECOND
        )

    @property
    def text(self) -> str:
        """As people read it: `up to 12,520 events, 1 min at 500 a second, 1 throughput unit, 0.01 USD`."""
        units = _some(self.throughput_units, "throughput unit")
        cost = f"{self.dollars:,.2f} USD" if self.dollars >= 0.01 else "less than 0.01 USD"
        known = f"up to {_some(self.events, 'event')}, {_lasting(self.seconds)} at {self.pace.per_second:,.0f} a second"
        parts = [f"{known}, {units}, {cost}"] if self.events else []
        if self.uncounted:
            parts.append(f"the members of {_some(len(self.uncounted), 'audience')}, not counted yet")
        if self.more:
            parts.append("what changed during the pause")
        return "; and ".join(parts) or "no events"


def estimate(
    backfill: RequestedBackfill, planned: Configuration, counts: Mapping[AudienceKey, AudienceCount], pace: Pace
) -> BackfillEstimate:
    """Of a backfill that `planned` calls for; `counts` has those of `audiences_of`."""
    audiences = audiences_of(backfill, planned)
    members = {audience: counts[audience].members for audience in audiences}
    return BackfillEstimate(
        backfill.destination,
        audiences,
        tuple(audience for audience, count in members.items() if count is None),
        sum(count for count in members.values() if count is not None),
        pace,
        more=backfill.since is not None,
    )


def audiences_of(backfill: RequestedBackfill, planned: Configuration) -> tuple[AudienceKey, ...]:
    """Those whose members it exports, all of them."""
    if backfill.since is not None:
        return tuple(audience.key for audience in backfill.new)
    if backfill.audiences is not None:
        return tuple(audience.key for audience in backfill.audiences)
    return tuple(audience.key for audience in planned.dataflow(backfill.destination).active_audiences)


def _some(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def _lasting(seconds: float) -> str:
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.1f}".removesuffix(".0") + f" {unit}"
    return "less than a minute"
