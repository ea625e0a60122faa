"""What the mapping page says of a mapping that is tried beside the live one."""

from collections.abc import Collection
from dataclasses import dataclass

from shared.domain.configuration.model import Configuration, Dataflow
from shared.domain.configuration.removals import removed_attributes
from shared.domain.profile.memberships import AudienceKey
from shared.services.shadows.dataflows import ShadowFigures
from shared.views.shadows import MappingCountsView, ShadowView
from shared.web.console.mapping_changes import clauses
from shared.web.console.words import counted, number
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
        _rows(view),
        _differences(configuration, live, wanted),
        clauses(live, wanted, lost, backfill),
    )


def _rows(view: ShadowView) -> list[tuple[str, str, str]]:
    live, candidate = view.live, view.candidate
    rows = [("Exports", number(live.exports), number(candidate.exports))]
    rows += [
        (f"by {' and '.join(reason.split(','))}", number(live.by_reason.get(reason, 0)), number(count))
        for reason, count in sorted({**dict.fromkeys(live.by_reason, 0), **candidate.by_reason}.items())
    ]
    rows.append(("Only by this one", number(view.only_live), number(view.only_candidate)))
    rows.append(("Bytes of bodies", number(live.bytes), number(candidate.bytes)))
    return [*rows, *_month(live, candidate)]


def _month(live: MappingCountsView, candidate: MappingCountsView) -> list[tuple[str, str, str]]:
    if live.month is None or candidate.month is None:
        return []
    return [
        ("Exports a month", f"{live.month.events:,}", f"{candidate.month.events:,}"),
        (
            "Throughput units, at the busiest",
            number(live.month.throughput_units),
            number(candidate.month.throughput_units),
        ),
        ("USD a month", f"{live.month.dollars:,.2f}", f"{candidate.month.dollars:,.2f}"),
    ]


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
