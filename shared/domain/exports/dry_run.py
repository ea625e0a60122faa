"""What a change would export and what not, and why: by the very functions that decide it for real, on a copy."""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field

from shared.domain.configuration.model import Audience
from shared.domain.configuration.targets import Target, Targets
from shared.domain.exports.consent import apply_change, consents
from shared.domain.exports.decision import BACKFILL, NO_CONSENT, unconcerned
from shared.domain.exports.export import Export, current_export
from shared.domain.exports.transition import transition
from shared.domain.exports.undelivered import Undelivered
from shared.domain.profile.change import ProfileChange
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile.state import ProfileState

NO_DATAFLOW = "has no dataflow"
NEVER_MAPPED = "the profile has never been in an audience that it maps"
FORGOTTEN = "the profile is forgotten"
_DRY = "dry-run"


@dataclass(frozen=True, slots=True)
class DryRunVerdict:
    """What one destination would hear. `why` says why it hears nothing, empty where there is an `export`.

    `held_back`: why the export would be parked instead of sent, if it would. `realized` and `left` are the mapped
    audiences that the profile would be in, and those that it would have left. `unmapped`: audiences that the export
    tells of though nobody mapped them; `left_out`: those that it would tell of, were it not for mapped ones alone;
    `identities_left_out`: the namespaces of the identity map that it does not hold.
    """

    destination_id: str
    export: Export | None = None
    why: tuple[str, ...] = ()
    held_back: str | None = None
    realized: tuple[AudienceKey, ...] = ()
    left: tuple[AudienceKey, ...] = ()
    unmapped: tuple[AudienceKey, ...] = ()
    left_out: tuple[AudienceKey, ...] = ()
    identities_left_out: tuple[str, ...] = ()
    undelivered: Undelivered | None = None

    @property
    def outcome(self) -> str:
        """`sent`, `parked` or `nothing`."""
        if self.export is None:
            return "nothing"
        return "sent" if self.held_back is None else "parked"


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would happen at `at` (microseconds). `problems`: why the change would go to quarantine, and nothing else
    happen; `altered`: whether it would alter the profile. `version` is the profile's after it.
    """

    profile_id: str
    at: int
    version: int
    altered: bool = False
    problems: list[str] = field(default_factory=list)
    verdicts: list[DryRunVerdict] = field(default_factory=list)

    @property
    def exports(self) -> list[Export]:
        return [verdict.export for verdict in self.verdicts if verdict.export is not None]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a dry run has to know besides the profile. `undelivered` is by destination id."""

    targets: Targets
    held_back: Callable[[str], str | None]
    undelivered: Mapping[str, Undelivered]
    now: int


def dry_run(state: ProfileState, change: ProfileChange, around: Surroundings) -> DryRun:
    """What `change` would do. `state` is left as the change would leave it."""
    effects = apply_change(deepcopy(state), change, around.targets, around.now)
    result = transition(state, [(0, change)], _DRY, around.targets, around.now)
    exports = {export.destination.id: export for export in result.exports}
    refused = {destination_id: why for destination_id, why in result.skipped if destination_id is not None}

    def judge(target: Target) -> tuple[Export | None, Iterable[str]]:
        if export := exports.get(target.id):
            return export, ()
        return None, [refused[target.id]] if target.id in refused else unconcerned(target, effects)

    return DryRun(state.profile_id, around.now, state.version, result.altered, verdicts=_verdicts(state, around, judge))


def standing(state: ProfileState, around: Surroundings) -> DryRun:
    """What each destination would hear if it were told again now, by a retry or a backfill."""
    nobody = FORGOTTEN if state.forgotten else NEVER_MAPPED

    def judge(target: Target) -> tuple[Export | None, Iterable[str]]:
        row = around.undelivered.get(target.id)
        if row is None and not consents(state, target) and not state.forgotten:
            return None, [NO_CONSENT]
        reasons, occurred_at = (row.reasons, row.occurred_at) if row else ((BACKFILL,), around.now)
        told = row.transitions if row else ()
        export = current_export(state, target, around.targets.catalog, reasons, occurred_at, told)
        return export, [] if export else [nobody]

    return DryRun(state.profile_id, around.now, state.version, verdicts=_verdicts(state, around, judge))


def verdict_on(state: ProfileState, targets: Targets, destination_id: str, now: int) -> DryRunVerdict:
    """What the destination, which must have a dataflow, would hear of the profile by these targets, all being well."""
    verdicts = standing(state, Surroundings(targets, lambda _: None, {}, now)).verdicts
    return next(verdict for verdict in verdicts if verdict.destination_id == destination_id)


def _verdicts(
    state: ProfileState, around: Surroundings, judge: Callable[[Target], tuple[Export | None, Iterable[str]]]
) -> list[DryRunVerdict]:
    """One for each destination, by id; `state` is the profile after all that happens."""
    verdicts = [
        DryRunVerdict(each, why=(NO_DATAFLOW,), undelivered=around.undelivered.get(each))
        for each in around.targets.inactive
    ]
    for target in around.targets.by_id.values():
        export, why = judge(target)
        mapped = {audience: each for audience, each in state.memberships.items() if audience in target.mapped}
        unmapped = _of_the_same_policies(state, target, around.targets.catalog) if export else ()
        only_mapped = target.destination.only_mapped_audiences
        identities = state.identities.ids if export and state.identities else ()
        verdicts.append(
            DryRunVerdict(
                target.id,
                export,
                tuple(why),
                held_back=around.held_back(target.id),
                realized=tuple(sorted(audience for audience, each in mapped.items() if each.realized)),
                left=tuple(sorted(audience for audience, each in mapped.items() if not each.realized)),
                unmapped=() if only_mapped else unmapped,
                left_out=unmapped if only_mapped else (),
                identities_left_out=tuple(sorted(each for each in identities if not target.exports_identities(each))),
                undelivered=around.undelivered.get(target.id),
            )
        )
    return sorted(verdicts, key=lambda verdict: verdict.destination_id)


def _of_the_same_policies(
    state: ProfileState, target: Target, catalog: Mapping[AudienceKey, Audience]
) -> tuple[AudienceKey, ...]:
    """The profile's unmapped audiences that an export tells of, unless it tells of mapped ones alone."""
    return tuple(
        key
        for key in sorted(state.memberships.keys() - target.mapped.keys())
        if key in catalog and catalog[key].merge_policy_id in target.merge_policies
    )
