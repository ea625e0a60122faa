"""What a candidate mapping would export of the changes that come, beside what the live one exports of them.

Candidates are decided on by the same functions as live dataflows, of the same profile after the same change. What no
change calls for is on neither side: backfills, resyncs, and what a message that comes twice has sent again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shared.domain.configuration.paths import EXPORT_METADATA
from shared.domain.configuration.targets import Targets
from shared.domain.exports.crossings import crossings
from shared.domain.exports.decision import decide
from shared.domain.exports.export import Export, export_of
from shared.domain.profile.state import Effects, ProfileState
from shared.domain.shadow_counts import Made

_BEFORE_METADATA = f',"{EXPORT_METADATA}":'.encode()


@dataclass(frozen=True, slots=True)
class Compared:
    """What one change called for by the live mapping and by the candidate, at least one of which is there.

    `revision` is that of the shadow. `differ`: the bodies do, what stands in them under EXPORT_METADATA aside.
    """

    destination_id: str
    revision: int
    live: Made | None
    candidate: Made | None
    differ: bool = False


def compare(
    effects: Effects, state: ProfileState, occurred_at: int, live: Targets, exports: list[Export], now: int
) -> Iterator[Compared]:
    """For each running shadow whose candidate or live mapping the change calls for an export of.

    `state` is the profile at its new version, `exports` what the live mappings make of the change.
    """
    shadows = live.shadows
    if shadows is None or now >= shadows.until:
        return
    candidates = shadows.targets
    if effects.consents or effects.candidate_consents:
        effects = replace(effects, consents=effects.candidate_consents)
    wanted = decide(effects, state, candidates).exports
    by_live = {export.destination.id: export for export in exports if export.destination.id in candidates.by_id}
    if not wanted and not by_live:
        return
    told = crossings(effects, state, wanted, candidates, occurred_at)
    for target_id in wanted.keys() | by_live.keys():
        if now >= shadows.ends[target_id]:
            continue
        target, ours = candidates.by_id[target_id], by_live.get(target_id)
        if target_id not in wanted:
            yield Compared(target_id, target.revision, _made(ours), None)
        elif ours is not None and target_id in shadows.alike and not target.destination.include_export_metadata:
            yield Compared(target_id, target.revision, _made(ours), (",".join(wanted[target_id]), len(ours.body)))
        else:
            theirs = export_of(state, target, live.catalog, wanted[target_id], occurred_at, told.get(target_id, ()))
            differ = ours is not None and _differ(ours, theirs)
            yield Compared(target_id, target.revision, _made(ours), _made(theirs), differ)


def _made(export: Export | None) -> Made | None:
    return None if export is None else (",".join(export.reasons), len(export.body))


def _differ(one: Export, other: Export) -> bool:
    return one.body != other.body and _without_metadata(one) != _without_metadata(other)


def _without_metadata(export: Export) -> bytes:
    """The metadata is the last member; within a string its quotes would be escaped."""
    if not export.destination.include_export_metadata:
        return export.body
    return export.body[: export.body.rindex(_BEFORE_METADATA)]
