"""What a hub heard in a step, against what it had to hear: who is missed, who is none of it, who came twice and why."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.faults.resync.audience import Model
from tests.faults.resync.hubs import Heard

TRUE_WITHIN = 15.0
"""Seconds; docs/backfill.md promises it of what the API says of a resync."""
_CLOCKS = 0.1
"""Seconds between two clocks that tell of the same moment, rounded to milliseconds here and there."""
_EXAMPLES = 3


@dataclass(frozen=True)
class Expected:
    """Profile ids: who must come under the step's reason, and who may."""

    must: frozenset[str]
    may: frozenset[str]


@dataclass(frozen=True)
class Verdict:
    """`twice` counts events beyond a profile's first; `twice_by_kills` those of them with a kill in between."""

    events: int
    distinct: int
    missed: frozenset[str]
    outside: frozenset[str]
    twice: int
    twice_by_kills: int


def judge(expected: Expected, heard: Iterable[Heard], reason: str, kills: Sequence[tuple[float, float]]) -> Verdict:
    """`heard` are the step's events, of other reasons, too; `kills`: when each began and ended."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for event in heard:
        if reason in event.reasons:
            times[event.profile_id].append(event.at)
    again = [(first, later) for each in times.values() for first, later in pairwise(sorted(each))]
    return Verdict(
        events=sum(map(len, times.values())),
        distinct=len(times),
        missed=expected.must - times.keys(),
        outside=frozenset(times.keys() - expected.may),
        twice=len(again),
        twice_by_kills=sum(
            any(first <= ended + _CLOCKS and began <= later + _CLOCKS for began, ended in kills)
            for first, later in again
        ),
    )


@dataclass(frozen=True)
class Sample:
    """What the API said of a step between two moments, in seconds since the epoch."""

    asked: float
    answered: float
    members: int
    exported: int
    undelivered: int


def untrue_progress(samples: Iterable[Sample], heard: Iterable[Heard], reason: str) -> list[str]:
    """Where the API's count was none that was right within the last TRUE_WITHIN seconds.

    What a killed host had sent and not noted is sent again, and counts from then on.
    """
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for event in heard:
        if reason in event.reasons:
            first[event.profile_id] = min(event.at, first.get(event.profile_id, event.at))
            last[event.profile_id] = max(event.at, last.get(event.profile_id, event.at))
    firsts, lasts = sorted(first.values()), sorted(last.values())
    found = []
    for each in samples:
        least = bisect_right(lasts, each.asked - TRUE_WITHIN) - each.undelivered
        most = bisect_right(firsts, each.answered + _CLOCKS)
        if not least <= each.exported <= most:
            found.append(f"the API said {each.exported:,} exported, and {least:,} to {most:,} would have been true")
        if each.members < each.exported:
            found.append(f"the API said {each.exported:,} exported of {each.members:,} members")
    return found


def outdated(latest: Mapping[str, Heard], model: Model) -> list[str]:
    """Profiles of which a consumer that goes by versions has no state, or another than the model; some of them.

    Who is in no mapped audience is not told of, but for the exit.
    """
    wrong = []
    for profile_id in model.members | model.other:
        event = latest.get(profile_id)
        status = "realized" if profile_id in model.inside else "exited" if profile_id in model.ever else None
        wanted = (status, model.numbers[profile_id])
        if event is None:
            wrong.append(f"{profile_id} was never exported")
        elif (event.status, event.number) != wanted:
            wrong.append(f"{profile_id} is {wanted}, and what the hub has is {(event.status, event.number)}")
    wrong += [
        f"the exit of {profile_id} is not in the hub"
        for profile_id, event in latest.items()
        if event.status == "realized" and profile_id not in model.inside
    ]
    return some(wrong)


def some(wrong: Sequence[str]) -> list[str]:
    """A few of them, and how many there are."""
    more = len(wrong) - _EXAMPLES
    return [*wrong[:_EXAMPLES], *([f"and {more:,} more like that"] if more > 0 else [])]
