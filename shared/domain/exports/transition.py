"""One profile, what is done to it, and what follows: new versions, exports, what is due, what the index must list."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shared.domain.configuration.targets import Targets
from shared.domain.exports.consent import apply_change, consents
from shared.domain.exports.decision import decide
from shared.domain.exports.export import Export, export_of
from shared.domain.instants import SECOND
from shared.domain.profile.change import ProfileChange
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile.state import DueExports, Effects, ProfileState


@dataclass(slots=True)
class Transition:
    """`exports` are in the order of their versions. `altered`: the state must be saved before any is sent.

    `entered`: audiences that the member index must list the profile in before the state is saved.
    """

    exports: list[Export] = field(default_factory=list)
    skipped: list[tuple[str | None, str]] = field(default_factory=list)
    entered: list[AudienceKey] = field(default_factory=list)
    altered: bool = False

    def follow(
        self, state: ProfileState, effects: Effects, item: str, occurred_at: int, targets: Targets, now: int
    ) -> None:
        """Take in what one write did: if it altered `state`, a new version, and the exports that it calls for.

        The exports are due until `item`, a name for this write, comes again or a day has passed.
        """
        decision = decide(effects, state, targets)
        self.skipped += decision.skipped
        if not effects.altered:
            return
        self.altered = True
        self.entered += effects.entered
        version, state.decided_by = state.next_version(now), targets.revision
        if decision.exports:
            state.due[item] = DueExports(now // SECOND, version, decision.exports)
        self.exports += [
            export_of(state, targets.by_id[target_id], targets.catalog, reasons, occurred_at)
            for target_id, reasons in decision.exports.items()
        ]

    def send_again(self, state: ProfileState, redelivered: Sequence[tuple[int, DueExports]], targets: Targets) -> None:
        """The current state for each destination of `redelivered`, (occurredAt, due), that is not brought it already.

        Those of a paused dataflow are among them: they are stored until it is resumed.
        """
        served = {export.destination.id for export in self.exports if export.version == state.version}
        again: dict[str, Export] = {}
        for occurred_at, due in redelivered:
            for target_id, reasons in due.reasons.items():
                target = targets.by_id.get(target_id)
                if target is not None and target_id not in served:
                    again[target_id] = export_of(state, target, targets.catalog, reasons, occurred_at)
        self.exports += again.values()


def transition(
    state: ProfileState, changes: Sequence[tuple[int, ProfileChange]], message_id: str, targets: Targets, now: int
) -> Transition:
    """Apply `changes`, (item index, change) in the order of their times, to `state`, which it alters.

    A change that altered the state or called for exports gets a version of its own, and each export shows the profile
    at its version. A redelivered change finds its own entry in `state.due`: whatever it called for is sent once more,
    with the profile as it is now.
    """
    result = Transition()
    redelivered: list[tuple[int, DueExports]] = []
    for index, change in changes:
        item = f"{message_id}:{index}"
        if item in state.due:
            redelivered.append((change.occurred_at, state.due[item]))
            continue
        effects = apply_change(state, change, targets, now)
        if change.deleted and effects.altered:
            _owe_last_exports(state, effects, targets)
        result.follow(state, effects, item, change.occurred_at, targets, now)
    result.send_again(state, redelivered, targets)
    return result


def _owe_last_exports(state: ProfileState, effects: Effects, targets: Targets) -> None:
    """Those who must hear that the profile is gone; a paused dataflow will when it is resumed.

    Of the end of a consent they hear whatever their triggers; without one, of nothing.
    """
    owed = {
        target.id
        for status in effects.status_changes
        for target in targets.by_audience.get(status.audience, ())
        if effects.consents.get(target.id) is False or (target.dataflow.triggers.audience and consents(state, target))
    }
    if state.deletion is not None:
        state.deletion = replace(state.deletion, owed=tuple(sorted(owed.union(state.deletion.owed))))
