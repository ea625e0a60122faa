"""The load: many destinations that map some audiences each, or few that map the same ones, and who hears of whom."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.domain.instants import format_instant

_AUDIENCES_OF_A_PROFILE = 2


@dataclass(frozen=True, slots=True)
class Size:
    """`mappings`: how many pairs of audience and dataflow. `deadline`: in seconds, from the first message on."""

    audiences: int
    destinations: int
    dataflows: int
    mappings: int
    changes: int
    changes_a_message: int
    deadline: float


WIDE = Size(
    audiences=230,
    destinations=100,
    dataflows=94,
    mappings=470,
    changes=10_500,
    changes_a_message=178,
    deadline=900.0,
)


def hubs(size: Size) -> list[str]:
    return [f"hub-{number}" for number in range(size.destinations)]


def _audiences(size: Size) -> list[str]:
    return [f"audience-{number}" for number in range(size.audiences)]


def mapped(size: Size) -> dict[str, set[str]]:
    """The audiences of each dataflow, in turn, so that many dataflows and few have the same ones as often."""
    names, audiences = hubs(size)[: size.dataflows], _audiences(size)
    found: dict[str, set[str]] = {name: set() for name in names}
    for number in range(size.mappings):
        shifted = number + number // len(audiences)  # or few dataflows would get the same pairs again
        found[names[shifted % len(names)]].add(audiences[number % len(audiences)])
    return found


def configuration(size: Size) -> dict[str, Any]:
    """As it stands in a declarative file."""
    return {
        "audiences": [{"id": each, "name": each} for each in _audiences(size)],
        "destinations": [{"id": each, "name": each, "eventHubName": each} for each in hubs(size)],
        "dataflows": [{"id": each, "audiences": sorted(audiences)} for each, audiences in mapped(size).items()],
    }


def _entered(number: int, size: Size) -> list[str]:
    audiences = _audiences(size)
    return [audiences[(number * 7 + each * 101) % len(audiences)] for each in range(_AUDIENCES_OF_A_PROFILE)]


def messages(size: Size, now: int) -> Iterator[str]:
    """Each change is of another profile, which enters two audiences. `now` in microseconds."""
    at = format_instant(now)
    for first in range(0, size.changes, size.changes_a_message):
        numbers = range(first, min(first + size.changes_a_message, size.changes))
        yield json.dumps([_change(number, at, size) for number in numbers])


def _change(number: int, at: str, size: Size) -> dict[str, Any]:
    entered = {"status": "realized", "lastQualificationTime": at}
    return {
        "profileId": f"profile-{number}",
        "occurredAt": at,
        "segmentMembership": {"ups": dict.fromkeys(_entered(number, size), entered)},
    }


def expected(size: Size) -> set[tuple[str, str]]:
    """(hub, profile id) of every export that there must be."""
    audiences = mapped(size).items()
    return {
        (hub, f"profile-{number}")
        for number in range(size.changes)
        for hub, mapped_there in audiences
        if not mapped_there.isdisjoint(_entered(number, size))
    }
