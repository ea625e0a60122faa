"""An explanation of a profile for people: by destination, whom it concerns first, the others in one line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.domain.configuration.model import Configuration
from shared.domain.exports.decision import PAUSED
from shared.domain.exports.dry_run import FORGOTTEN, NEVER_MAPPED, NO_DATAFLOW
from shared.domain.profile.memberships import AudienceKey
from shared.views.profiles import DryRunView, ProfileDocument, ToldView, VerdictView
from shared.views.undelivered import UndeliveredView

_UNCONCERNED = {
    NEVER_MAPPED: ("maps none of its audiences", "map none of its audiences"),
    NO_DATAFLOW: ("has no dataflow", "have no dataflow"),
    PAUSED: ("is paused", "are paused"),
    FORGOTTEN: ("would hear nothing: the profile is forgotten",) * 2,
}


@dataclass(frozen=True, slots=True)
class Named:
    """A destination; `name` is the id again where there is none any more."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Past:
    """What one destination was told, the latest first, and what of it waits."""

    destination: Named
    told: list[ToldView]
    undelivered: UndeliveredView | None


@dataclass(frozen=True, slots=True)
class Foreseen:
    destination: Named
    verdict: VerdictView


@dataclass(frozen=True, slots=True)
class Unconcerned:
    """Those that would hear nothing for the same reason: `map none of its audiences`."""

    what: str
    destinations: list[Named]


@dataclass(frozen=True, slots=True)
class Explained:
    past: list[Past]
    foreseen: list[Foreseen]
    unconcerned: list[Unconcerned]
    audiences: Mapping[AudienceKey, str]
    """The names of those in the catalog."""


def explained(
    profile: ProfileDocument | None, foreseen: DryRunView, configuration: Configuration, only: str = ""
) -> Explained:
    """`only`: the id of the one destination that is asked about; empty for all."""
    names = {each.id: each.name for each in configuration.destinations}
    past = _past(profile, names) if profile else []
    told = {each.destination.id for each in past}
    concerned, others = [], dict[str, list[Named]]()
    for verdict in foreseen.destinations:
        if only not in {"", verdict.destination_id}:
            continue
        destination = Named(verdict.destination_id, names.get(verdict.destination_id, verdict.destination_id))
        if verdict.outcome != "nothing" or verdict.destination_id in told or only:
            concerned.append(Foreseen(destination, verdict))
        else:
            others.setdefault("; ".join(verdict.why), []).append(destination)
    return Explained(
        [each for each in past if only in {"", each.destination.id}],
        sorted(concerned, key=lambda each: each.verdict.outcome == "nothing"),
        [Unconcerned(_of(why, len(those)), those) for why, those in others.items()],
        {each.key: each.name for each in configuration.audiences if each.name != each.id},
    )


def _past(profile: ProfileDocument, names: Mapping[str, str]) -> list[Past]:
    """What waits first, then by when each was told last."""
    told: dict[str, list[ToldView]] = {}
    for each in profile.told:
        told.setdefault(each.destination_id, []).append(each)
    waiting = {each.destination_id: each for each in profile.undelivered}
    ids: Iterable[str] = dict.fromkeys((*waiting, *told))
    return [Past(Named(each, names.get(each, each)), told.get(each, []), waiting.get(each)) for each in ids]


def _of(why: str, count: int) -> str:
    one, many = _UNCONCERNED.get(why, (f"would hear nothing: {why}",) * 2)
    return one if count == 1 else many
