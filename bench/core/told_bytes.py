"""What of a profile's row says what each of ten destinations was last told: `python -m bench.core.told_bytes`.

A profile of twenty attributes and ten memberships lives through 60 changes; each is told to some of ten destinations,
up to ten seconds after it was written. Rows are compressed and counted after each of the last 40 saves: with what each
destination was last told, and without. What is due is in both, for a day, as it always was.
"""

import platform
import random
import statistics
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from bench.core.workload import NOW, stored_profile, targets_of
from shared.adapters.tables.profiles import encode_state
from shared.domain.instants import DAY, SECOND
from shared.domain.profile.due_exports import DueExports
from shared.domain.profile.last_told import REASONS
from shared.domain.profile.state import ProfileState

DESTINATIONS = (
    *("crm", "analytics", "ads-eu", "ads-us", "email-marketing"),
    *("loyalty-app", "personalization", "data-lake", "call-center", "partner-retail"),
)
CHANGES, COUNTED = 60, 40
_SEED = 4


class Life(NamedTuple):
    """`told`: the share of destinations that a change concerns; `days`: between changes, on average."""

    told: float
    days: float


LIVES = tuple(Life(told, days) for told in (1.0, 0.5, 0.2) for days in (0.02, 0.3, 3.0))


def rows_of(life: Life) -> list[tuple[int, int]]:
    """The bytes of the rows without what was last told, and with it."""
    chance = random.Random(_SEED)
    state, now = stored_profile(targets_of(1)), NOW
    state.due.clear()
    rows = []
    for number in range(CHANGES):
        now += int(life.days * DAY * chance.uniform(0.3, 1.7))
        _write(state, number, now, chance)
        told = [each for each in DESTINATIONS if chance.random() < life.told] or [chance.choice(DESTINATIONS)]
        reasons = chance.choices(REASONS[:3], (7, 2, 1))
        item = f"{UUID(int=chance.getrandbits(128))}:0"
        saved = now + chance.randrange(10 * SECOND)
        state.call_for(item, DueExports(saved // SECOND, state.next_version(saved), dict.fromkeys(told, reasons)))
        state.forget_outdated(now)
        with_it = len(encode_state(state))
        last, state.told = state.told, {}
        rows.append((len(encode_state(state)), with_it))
        state.told = last
    return rows[-COUNTED:]


def _write(state: ProfileState, number: int, now: int, chance: random.Random) -> None:
    group = ("person", "contact", "loyalty", "device")[number % 4]
    value = f"{chance.getrandbits(32):08x}"
    state.attributes.merge({group: {f"field{number // 4 % 5}": value}}, now, now // SECOND)


def main() -> None:
    where = f"Python {platform.python_version()}, {platform.machine()}, {datetime.now(UTC):%Y-%m-%d}"
    print(f"Bytes of a compressed row, on average and at most; {where}")
    print("| a change is told to | days between | without | with | more | at most |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for life in LIVES:
        rows = rows_of(life)
        without, with_it = (statistics.mean(each) for each in zip(*rows, strict=True))
        most = max(more - less for less, more in rows)
        more = f"{with_it / without - 1:.1%} | {most} B"
        print(f"| {life.told:.0%} | {life.days:g} | {without:.0f} | {with_it:.0f} | {more} |")


if __name__ == "__main__":
    main()
