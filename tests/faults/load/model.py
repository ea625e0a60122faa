"""What must be exported, worked out without the app: nothing here comes from `shared`.

A profile's changes are folded in the order of their times, by RFC 7396 as somebody else implemented it, and at each
change the rules (docs/rules.md, "What triggers an export") say who must hear of it. From that follows, for each
destination and profile, the body that the destination must show in the end: the profile at the last change that it had
to hear of.

Queues deliver out of order, and then what a destination had to hear of last can depend on the order: an exit that
overtakes the write of an attribute makes it a write that nobody must hear of. The model does not guess. It holds for
loads in which the order decides nothing, and `changes.py` makes such loads; there it is said how. Exports on the way to
the end are judged leniently (`explains`): all that is in one must have been written by a change of that profile.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from tests.faults.load.destinations import ModelDestination, audience_key
from tests.faults.load.profiles import (
    ABSENT,
    Change,
    ModelProfile,
    Path,
    at,
    canonical,
    identities_of,
    leaves,
    memberships_of,
)

Pair: TypeAlias = tuple[str, str]
"""(destination id, profile id)"""


@dataclass(frozen=True)
class ModelExport:
    """What a destination must be told at one change."""

    destination: str
    reasons: tuple[str, ...]
    body: dict[str, Any]


class Model:
    """The destinations of a declarative configuration file, and what they must be told of `changes`.

    `changes` are distinct: one that is sent twice is one. `earlier` is how the configuration may have been for a while:
    exports of that time are explained by it.
    """

    def __init__(
        self,
        configuration: Mapping[str, Any],
        changes: Iterable[Change] = (),
        earlier: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.destinations = _destinations(configuration)
        self._at_any_time = [self.destinations, *map(_destinations, earlier)]
        self._histories: dict[str, list[Change]] = {}
        for change in sorted(changes, key=_time):
            self._histories.setdefault(change["profileId"], []).append(change)

    def apply(self, profile: ModelProfile, change: Change) -> list[ModelExport]:
        """Write `change`, later than all before it, into `profile`; what each destination must be told of it."""
        before = copy.deepcopy(profile)
        profile.apply(change)
        told = ((each, each.reasons(before, profile, change)) for each in self.destinations.values())
        return [ModelExport(each.id, reasons, each.body(profile)) for each, reasons in told if reasons]

    def expected(self) -> dict[Pair, dict[str, Any]]:
        """For each destination and profile that it must hear of at all: the body it must show in the end."""
        expected: dict[Pair, dict[str, Any]] = {}
        for profile_id, history in self._histories.items():
            profile = ModelProfile()
            for change in history:
                for export in self.apply(profile, change):
                    expected[export.destination, profile_id] = export.body
        return expected

    def calls_for(self, destination_id: str, profile_id: str) -> bool:
        """Whether an export of the profile to the destination is called for at all, in whatever order."""
        destination = self.destinations.get(destination_id)
        return destination is not None and any(
            destination.enabled and audience in destination.mapped and status == "realized"
            for change in self._histories.get(profile_id, ())
            for audience, (status, _) in memberships_of(change)
        )

    def explains(self, destination_id: str, profile_id: str, body: Any) -> bool:
        """Whether all that is in `body` was written by changes of this profile and may be seen by the destination."""
        history = self._histories.get(profile_id, [])
        if not isinstance(body, dict) or not {"segmentMembership", "identityMap"} <= body.keys():
            return False
        return any(
            _explains(destinations[destination_id], history, body)
            for destinations in self._at_any_time
            if destination_id in destinations
        )


def _destinations(configuration: Mapping[str, Any]) -> dict[str, ModelDestination]:
    catalog = {audience_key(audience): audience for audience in configuration.get("audiences", [])}
    dataflows = {dataflow["id"]: dataflow for dataflow in configuration["dataflows"]}
    return {
        destination["id"]: ModelDestination(destination, dataflows[destination["id"]], catalog)
        for destination in configuration["destinations"]
        if destination["id"] in dataflows
    }


def _explains(destination: ModelDestination, history: Sequence[Change], body: dict[str, Any]) -> bool:
    attributes = {name: value for name, value in body.items() if name not in {"segmentMembership", "identityMap"}}
    return (
        all(destination.maps(path) and _was_written(path, value, history) for path, value in leaves(attributes))
        and _memberships_were_written(destination, body["segmentMembership"], history)
        and _identities_were_written(body["identityMap"], history)
    )


def _time(change: Change) -> datetime:
    return datetime.fromisoformat(change["occurredAt"])


def _was_written(path: Path, value: Any, history: Iterable[Change]) -> bool:
    """An empty object may also be what later removals left of an object."""
    written = [at(change.get("attributes", {}), path) for change in history]
    if value == {}:
        return any(isinstance(each, dict) for each in written)
    return any(each is not ABSENT and canonical(each) == canonical(value) for each in written)


def _memberships_were_written(destination: ModelDestination, shown: Any, history: Iterable[Change]) -> bool:
    possible = {
        (audience, canonical(destination.membership(audience, *written)))
        for change in history
        for audience, written in memberships_of(change)
        if destination.sees(audience)
    }
    return all(
        ((namespace, audience), canonical(entry)) in possible
        for namespace, audiences in shown.items()
        for audience, entry in audiences.items()
    )


def _identities_were_written(shown: Any, history: Iterable[Change]) -> bool:
    written = [identities_of(change["identityMap"]) for change in history if "identityMap" in change]
    possible = {canonical({name: [{"id": each} for each in ids] for name, ids in map_.items()}) for map_ in written}
    return shown == {} or canonical(shown) in possible
