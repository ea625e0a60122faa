"""Which destinations must hear of a change, and why; which need not, and why not."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.domain.configuration.targets import Target, Targets
from shared.domain.exports.consent import consents
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile.state import Effects, ProfileState

AUDIENCE, ATTRIBUTE, IDENTITY, CONSENT = "audience", "attribute", "identity", "consent"
BACKFILL, RESYNC = "backfill", "resync"
NOT_OF_A_CHANGE = frozenset({BACKFILL, RESYNC})
"""The reasons of exports that no change called for."""

STALE = "stale or duplicate"
UNMAPPED = "nothing mapped changed"
NOT_REALIZED = "in no mapped audience"
TRIGGER_OFF = "trigger off"
SAME_VALUE = "same value"
PAUSED = "dataflow paused"
NO_CONSENT = "no consent"
NO_IDENTITY = "exports no identity that changed"
NOT_WRITTEN = "maps no attribute that was written"
NO_STATUS = "maps no audience whose status changed"
NEVER_A_MEMBER = "cannot leave an audience that it was never in"


@dataclass(slots=True)
class Decision:
    """`exports`: target id -> reasons, in the order audience, attribute, identity, consent.

    `skipped`: pairs of destination id and why it hears nothing; the id is None where no destination came into question.
    """

    exports: dict[str, list[str]] = field(default_factory=dict)
    skipped: list[tuple[str | None, str]] = field(default_factory=list)


def decide(effects: Effects, state: ProfileState, targets: Targets) -> Decision:
    """Decide on one applied change; `state` is the profile after it (docs/rules.md, "What triggers an export").

    The cost depends on what the change touches and on who maps that, not on how many dataflows there are.
    """
    decision = Decision()
    if not effects.altered:
        decision.skipped.append((None, STALE))
        return decision
    refused: dict[str, str] = {}
    realized = [audience for audience, membership in state.memberships.items() if membership.realized]
    for target, reason in _candidates(effects, realized, targets):
        if consents(state, target):
            refusal = _refusal(target, reason, effects, realized, targets)
        else:
            refusal = None if reason == CONSENT and _may_know(target, effects, state) else NO_CONSENT
        if refusal is None:
            reasons = decision.exports.setdefault(target.id, [])
            if reason not in reasons:
                reasons.append(reason)
        else:
            refused.setdefault(target.id, refusal)
    decision.skipped += [(target_id, why) for target_id, why in refused.items() if target_id not in decision.exports]
    if not decision.exports and not refused:
        decision.skipped.append((None, UNMAPPED))
    return decision


def unconcerned(target: Target, effects: Effects) -> list[str]:
    """Why nothing of a change brought `target` into question, which `decide` neither exports to nor refuses.

    For people who ask; the decision itself never looks at such a target.
    """
    if not effects.altered:
        return [STALE]
    why = []
    if effects.status_changes:
        mapped = any(status.audience in target.mapped for status in effects.status_changes)
        why.append(NEVER_A_MEMBER if mapped else NO_STATUS)
    if effects.attribute_writes:
        why.append(NOT_WRITTEN)
    if effects.identities_changed:
        exported = any(map(target.exports_identities, effects.identities_changed))
        why.append(NOT_REALIZED if exported else NO_IDENTITY)
    return why or [UNMAPPED]


def _candidates(effects: Effects, realized: list[AudienceKey], targets: Targets) -> Iterator[tuple[Target, str]]:
    for status in effects.status_changes:
        if status.before is None and status.after == "exited":
            continue  # whoever was never in the audience cannot have left it
        for target in targets.by_audience.get(status.audience, ()):
            yield target, AUDIENCE
    attribute_targets = {
        target.id: target for write in effects.attribute_writes for target in targets.by_attribute.matching(write.path)
    }
    for target in attribute_targets.values():
        yield target, ATTRIBUTE
    if effects.identities_changed:
        for target in targets.mapping_any(realized).values():
            if any(map(target.exports_identities, effects.identities_changed)):
                yield target, IDENTITY
    for target_id in effects.consents:
        yield targets.by_id[target_id], CONSENT


def _may_know(target: Target, effects: Effects, state: ProfileState) -> bool:
    """Whether a consent that ended must be told of: the profile has been in a mapped audience before this change.

    Also if it left since: what the destination keeps of it may go, and the exit may still wait for a backfill, which
    leaves out who does not consent. A paused dataflow is told on resume; until then the export is undelivered.
    """
    return any(
        audience in target.mapped and audience not in effects.entered and (membership.realized or membership.left_at)
        for audience, membership in state.memberships.items()
    )


def _refusal(
    target: Target, reason: str, effects: Effects, realized: list[AudienceKey], targets: Targets
) -> str | None:
    if not target.dataflow.enabled:
        return PAUSED
    if reason != CONSENT and not getattr(target.dataflow.triggers, reason):
        return TRIGGER_OFF
    if reason == AUDIENCE:
        return None
    if target.mapped.keys().isdisjoint(realized):
        return NOT_REALIZED
    if reason == ATTRIBUTE and target.dataflow.skip_same_value_writes and not _changed(target, effects, targets):
        return SAME_VALUE
    return None


def _changed(target: Target, effects: Effects, targets: Targets) -> bool:
    return any(
        write.changed and target in targets.by_attribute.matching(write.path) for write in effects.attribute_writes
    )
