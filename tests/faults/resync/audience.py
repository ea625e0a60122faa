"""Who is in which audience, by a model that shares no code with the app, and the configuration that maps them."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from bench.harness.people import MEMBERS, NAMESPACE, change, profile_ids
from shared.domain.instants import SECOND, format_instant

AUDIENCE = MEMBERS[1]
OTHER = "audience-00"
"""Mapped as well: some of the members are in it and some of the others, so that *everything* is more than AUDIENCE."""
CALM, KILLED = "calm", "killed"
"""Destinations, and the kinds of steps: to the first nothing is killed, to the second hosts are."""
NUMBER = "liveChange"
_FIRST_NUMBER = 10_000_000

Kind = Literal["attribute", "enter", "leave"]
_KINDS: tuple[Kind, ...] = ("attribute", "attribute", "attribute", "enter", "leave")


def configuration(mapped: Iterable[str]) -> dict[str, Any]:
    """As it stands in a declarative file: `mapped` are the destinations that have a dataflow. Exports are small."""
    return {
        "audiences": [{"id": each, "name": each} for each in (AUDIENCE, OTHER)],
        "destinations": [
            {
                "id": each,
                "name": each,
                "eventHubName": each,
                "onlyMappedAudiences": True,
                "identityNamespaces": ["crmid"],
            }
            for each in (CALM, KILLED)
        ],
        "dataflows": [
            {"id": each, "audiences": [AUDIENCE, OTHER], "attributes": [f"/{NUMBER}"]} for each in sorted(mapped)
        ],
    }


class Change(NamedTuple):
    """At `at`, in seconds since the epoch, it was put on the queue."""

    at: float
    profile_id: str
    kind: Kind


class _Pool:
    """A set that gives a random element without looking at all."""

    def __init__(self, elements: Iterable[str]) -> None:
        self._elements = list(elements)
        self._places = {each: place for place, each in enumerate(self._elements)}

    def __contains__(self, element: object) -> bool:
        return element in self._places

    def __len__(self) -> int:
        return len(self._elements)

    def any(self, rng: random.Random) -> str:
        return rng.choice(self._elements)

    def add(self, element: str) -> None:
        self._places[element] = len(self._elements)
        self._elements.append(element)

    def remove(self, element: str) -> None:
        place, last = self._places.pop(element), self._elements.pop()
        if last != element:
            self._elements[place] = last
            self._places[last] = place

    def all(self) -> frozenset[str]:
        return frozenset(self._elements)


@dataclass
class Model:
    """What is true once all changes so far were handled; `changes` are those, in the order of their times.

    `ever` were in AUDIENCE at some time, `other` are in OTHER: nobody enters or leaves that. `numbers` has the value of
    the attribute NUMBER that each profile was given last.
    """

    rng: random.Random
    inside: _Pool
    outside: _Pool
    ever: set[str]
    other: frozenset[str]
    numbers: dict[str, int]
    changes: list[Change] = field(default_factory=list)
    _touched: set[str] = field(default_factory=set)

    @classmethod
    def seeded(cls, members: int, outsiders: int, rng: random.Random) -> "Model":
        """As the tables are seeded."""
        of_audience: list[str] = []
        outside: list[str] = []
        other, numbers = set(), {}
        for profile_id in profile_ids(members, outsiders):
            written = change(profile_id)
            memberships = written["segmentMembership"][NAMESPACE]
            (of_audience if AUDIENCE in memberships else outside).append(profile_id)
            if OTHER in memberships:
                other.add(profile_id)
            numbers[profile_id] = written["attributes"][NUMBER]
        return cls(rng, _Pool(of_audience), _Pool(outside), set(of_audience), frozenset(other), numbers)

    @property
    def members(self) -> frozenset[str]:
        return self.inside.all()

    @property
    def heard_of(self) -> frozenset[str]:
        """Who is in a mapped audience or was in one."""
        return frozenset(self.ever) | self.other

    def settle(self) -> None:
        """All changes so far were handled: from now on each profile may change once more.

        Of two changes of a profile that are under way at a time the later one may be applied first.
        """
        self._touched.clear()

    def next_change(self, now: float) -> dict[str, Any] | None:
        """As upstream writes it; None where nobody is left who did not change since the model was settled."""
        kind = self.rng.choice(_KINDS)
        pool = self.outside if kind == "enter" else self.inside
        profile_id = next((each for each in self._some(pool) if each not in self._touched), None)
        if profile_id is None:
            return None
        self._touched.add(profile_id)
        self.numbers[profile_id] = _FIRST_NUMBER + len(self.changes)
        self.changes.append(Change(now, profile_id, kind))
        if kind == "enter":
            self.outside.remove(profile_id)
            self.inside.add(profile_id)
            self.ever.add(profile_id)
        elif kind == "leave":
            self.inside.remove(profile_id)
            self.outside.add(profile_id)
        at = format_instant(int(now * SECOND))
        written: dict[str, Any] = {"profileId": profile_id, "occurredAt": at}
        if kind != "attribute":
            status = "realized" if kind == "enter" else "exited"
            written["segmentMembership"] = {NAMESPACE: {AUDIENCE: {"status": status, "lastQualificationTime": at}}}
        return written | {"attributes": {NUMBER: self.numbers[profile_id]}}

    def _some(self, pool: _Pool) -> Iterable[str]:
        return (pool.any(self.rng) for _ in range(20)) if len(pool) else ()

    def crossed(self, since: float, until: float) -> int:
        """How many entered or left AUDIENCE from `since` to `until`."""
        return sum(each.kind != "attribute" and since <= each.at <= until for each in self.changes)

    def members_at(self, at: float) -> int:
        """How many were in AUDIENCE by what was put on the queue until then."""
        later = [each.kind for each in self.changes if each.at > at]
        return len(self.inside) - later.count("enter") + later.count("leave")
