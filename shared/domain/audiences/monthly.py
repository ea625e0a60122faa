"""What exports come to in a month, going by those of some hours: throughput units, and Event Hubs' price for them."""

import math
from dataclasses import dataclass

from shared.domain.audiences import prices

SHORTEST = 600
"""Seconds; of less, a month would be a guess."""
_HOURS_A_MONTH = 730


@dataclass(frozen=True, slots=True)
class Busiest:
    """The most events and the most bytes a second, of any ten minutes."""

    events: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Month:
    """`throughput_units`: what of a namespace the busiest ten minutes took. `dollars`: at list price, for events and
    for these throughput units all month; storage and instances take the same, whatever is exported.
    """

    events: int
    throughput_units: int
    dollars: float


def month_of(events: int, size: int, seconds: float, busiest: Busiest) -> Month | None:
    """By `events` with bodies of `size` bytes altogether, in `seconds`; None where that is too short to tell."""
    if seconds < SHORTEST:
        return None
    in_a_month = round(events * _HOURS_A_MONTH * 3_600 / seconds)
    units = _units(busiest) if events else 0
    billed = in_a_month * max(1, math.ceil(size / events / prices.BILLED_EVENT_BYTES)) if events else 0
    dollars = billed * prices.HUB_EVENT + units * _HOURS_A_MONTH * prices.THROUGHPUT_UNIT_HOUR
    return Month(in_a_month, units, dollars)


def _units(busiest: Busiest) -> int:
    a_second = max(busiest.events / prices.UNIT_EVENTS, busiest.bytes / prices.UNIT_BYTES)
    return max(1, math.ceil(a_second))
