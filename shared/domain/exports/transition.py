"""One profile, what is done to it, and what follows: new versions, exports, what is due, what the index must list."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shared.domain.configuration.targets import Targets
from shared.domain.exports.consent import apply_change, consents
from shared.domain.exports.crossings import crossings
from shared.domain.exports.decision import decide
from shared.domain.exports.export import Export, export_of
from shared.domain.exports.shadow import Compared, compare
from shared.domain.instants import SECOND
from shared.domain.profile.audience_transitions import Transitions, merged
from shared.domain.profile.change import ProfileChange
from shared.domain.profile.due_exports import DueExports
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile.state import Effects, ProfileState


@dataclass(slots=True)
class Transition:
    """`exports` are in the order of their versions. `altered`: the state must be saved before any is sent.

    `entered`: audiences that the member index must list the profile in before the state is saved. `items`: those of
    `state.due` that `exports` bring. `crossed`: audiences that the profile entered (True) or left, by which version.
    `compared`: what candidates would have exported, beside what is.
    """

    exports: list[Export] = field(default_factory=list)
    skipped: list[tuple[str | None, str]] = field(default_factory=list)
    entered: list[AudienceKey] = field(default_factory=list)
    altered: bool = False
    items: list[str] = field(default_factory=list)
    crossed: list[tuple[AudienceKey, bool, int]] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)

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
        for status in effects.status_changes:
            if status.crosses:
                entered = status.after == "realized"
                state.crosses(status.audience, entered=entered)
                self.crossed.append((status.audience, entered, version))
        exports: list[Export] = []
        if decision.exports:
            told = crossings(effects, state, decision.exports, targets, occurred_at)
            state.call_for(item, DueExports(now // SECOND, version, decision.exports, told))
            self.items.append(item)
            exports = [
                export_of(
                    state, targets.by_id[target_id], targets.catalog, reasons, occurred_at, told.get(target_id, ())
                )
                for target_id, reasons in decision.exports.items()
            ]
            self.exports += exports
        if targets.shadows is not None:
            self.compared += compare(effects, state, occurred_at, targets, exports, now)

    def send_again(self, state: ProfileState, redelivered: Sequence["Redelivered"], targets: Targets) -> None:
        """The current state for each destination of `redelivered`, with all that it stands for.

        Where a new change brings the destination the same state, its export stands for them, too. Those of a paused
        dataflow are among them: they are stored until it is resumed.
        """
        served = {export.destination.id: export for export in self.exports if export.version == state.version}
        again: dict[str, Export] = {}
        for each in redelivered:
            self.items.append(each.item)
            for target_id, reasons in each.due.reasons.items():
                told: Transitions = each.due.transitions.get(target_id, ())
                target = targets.by_id.get(target_id)
                if target is None:
                    continue
                if export := served.get(target_id):
                    told = merged(export.transitions, told)
                    if told != export.transitions:
                        served[target_id] = export_of(
                            state, target, targets.catalog, export.reasons, export.occurred_at, told
                        )
                    continue
                if target_id in again:
                    told = merged(again[target_id].transitions, told)
                again[target_id] = export_of(state, target, targets.catalog, reasons, each.occurred_at, told)
        earlier = [export for export in self.exports if export.version != state.version]
        self.exports = [*earlier, *served.values(), *again.values()]


@dataclass(frozen=True, slots=True)
class Redelivered:
    """What an earlier delivery of a change at `occurred_at` has found to be due."""

    item: str
    occurred_at: int
    due: DueExports


def transition(
    state: ProfileState, changes: Sequence[tuple[int, ProfileChange]], message_id: str, targets: Targets, now: int
) -> Transition:
    """Apply `changes`, (item index, change) in the order of their times, to `state`, which it alters.

    A change that altered the state or called for exports gets a version of its own, and each export shows the profile
    at its version. A redelivered change finds its own entry in `state.due`: whatever it called for is sent once more,
    with the profile as it is now.
    """
    result = Transition()
    redelivered: list[Redelivered] = []
    for index, change in changes:
        item = f"{message_id}:{index}"
        if item in state.due:
            redelivered.append(Redelivered(item, change.occurred_at, state.due[item]))
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
