"""What the mapping page says of a mapping that is tried beside the live one."""

from collections.abc import Collection
from dataclasses import dataclass

from shared.domain.configuration.model import Configuration, Dataflow
from shared.domain.configuration.removals import removed_attributes
from shared.domain.profile.memberships import AudienceKey
from shared.services.shadows.dataflows import ShadowFigures
from shared.views.shadows import ShadowView
from shared.web.console.mapping_changes import clauses
from shared.web.console.words import counted
from shared.web.etags import etag_of

DURATIONS = {1: "1 hour", 6: "6 hours", 24: "24 hours", 72: "3 days", 168: "7 days"}
"""By hours, what the form offers."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What the candidate adds or takes away: names of audiences with their ids, and paths."""

    what: str
    names: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Panel:
    """`tag` is of what is shown, for the forms; `rows`: what is counted, of the live mapping and of the candidate.

    `changes`: what making it live would do, a clause each.
    """

    shadow: ShadowView
    tag: str
    rows: list[tuple[str, str, str]]
    differences: list[Difference]
    changes: list[str]


def panel_of(configuration: Configuration, figures: ShadowFigures) -> Panel:
    view, tried = ShadowView.of(figures), figures.tried
    live, wanted = tried.live, tried.made_live
    lost = removed_attributes(configuration.destination(live.id), live, wanted)
    backfill = view.backfill.text if view.backfill else ""
    return Panel(
        view,
        etag_of(tried),
        view.rows(),
        _differences(configuration, live, wanted),
        clauses(live, wanted, lost, backfill),
    )


def _differences(configuration: Configuration, live: Dataflow, wanted: Dataflow) -> list[Difference]:
    names = {audience.key: audience.name for audience in configuration.audiences}
    was, will_be = ({audience.key for audience in each.audiences} for each in (live, wanted))
    had, will_have = set(live.attributes), set(wanted.attributes)

    def audiences(keys: Collection[AudienceKey]) -> list[tuple[str, str]]:
        return sorted((names.get(key) or key[1], "/".join(key)) for key in keys)

    def paths(those: Collection[str]) -> list[tuple[str, str]]:
        return [("", path) for path in sorted(those)]

    found = [
        Difference(counted(len(will_be - was), "audience") + " added", audiences(will_be - was)),
        Difference(counted(len(was - will_be), "audience") + " removed", audiences(was - will_be)),
        Difference(counted(len(will_have - had), "attribute") + " added", paths(will_have - had)),
        Difference(counted(len(had - will_have), "attribute") + " removed", paths(had - will_have)),
    ]
    return [each for each in found if each.names]
