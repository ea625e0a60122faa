"""One profile, the changes that one message brings for it, and what follows: new versions, exports, what is due."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.domain.change import ProfileChange
from shared.domain.decision import decide
from shared.domain.export import Export, export_of
from shared.domain.instants import SECOND
from shared.domain.state import DueExports, ProfileState
from shared.domain.targets import Targets


@dataclass(slots=True)
class Transition:
    """`exports` are in the order of their versions. `altered`: the state must be saved before any is sent."""

    exports: list[Export] = field(default_factory=list)
    skipped: list[tuple[str | None, str]] = field(default_factory=list)
    altered: bool = False


def transition(
    state: ProfileState, changes: Sequence[tuple[int, ProfileChange]], message_id: str, targets: Targets, now: int
) -> Transition:
    """Apply `changes`, (item index, change) in the order of their times, to `state`, which it alters.

    A change that altered the state or called for exports gets a version of its own, and each export shows the profile
    at its version. A redelivered change finds its own entry in `state.due`: whatever it called for is sent once more,
    with the profile as it is now.
    """
    result = Transition()
    redelivered: list[tuple[ProfileChange, DueExports]] = []
    for index, change in changes:
        item = f"{message_id}:{index}"
        if item in state.due:
            redelivered.append((change, state.due[item]))
            continue
        effects = state.apply(change, now)
        decision = decide(effects, state, targets)
        result.skipped += decision.skipped
        if not effects.altered:
            continue
        result.altered = True
        version = state.next_version(now)
        if decision.exports:
            state.due[item] = DueExports(now // SECOND, version, decision.exports)
        result.exports += [
            export_of(state, targets.by_id[target_id], targets.catalog, reasons, change.occurred_at)
            for target_id, reasons in decision.exports.items()
        ]
    result.exports += _sent_again(state, redelivered, result.exports, targets)
    return result


def _sent_again(
    state: ProfileState,
    redelivered: Sequence[tuple[ProfileChange, DueExports]],
    exports: Sequence[Export],
    targets: Targets,
) -> list[Export]:
    """The current state for each destination of `redelivered` that `exports` does not bring it to already."""
    served = {export.destination.id for export in exports if export.version == state.version}
    again: dict[str, Export] = {}
    for change, due in redelivered:
        for target_id, reasons in due.reasons.items():
            target = targets.by_id.get(target_id)
            if target is not None and target.dataflow.enabled and target_id not in served:
                again[target_id] = export_of(state, target, targets.catalog, reasons, change.occurred_at)
    return list(again.values())
