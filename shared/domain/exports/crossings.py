"""Which mapped audiences a profile entered or left, for each destination: docs/rules.md, "Who entered, who left"."""

from collections.abc import Iterable

from shared.domain.configuration.targets import Target, Targets
from shared.domain.exports.consent import consents
from shared.domain.profile.audience_transitions import AudienceTransition, TransitionKind, Transitions, merged
from shared.domain.profile.deletion import DeletionPhase
from shared.domain.profile.memberships import Strength
from shared.domain.profile.state import Effects, ProfileState


def crossings(
    effects: Effects, state: ProfileState, target_ids: Iterable[str], targets: Targets, occurred_at: int
) -> dict[str, Transitions]:
    """What each of `target_ids` must be told of a write at `occurred_at`; those that there is nothing for are left out.

    `state` is the profile after it, at its new version.
    """
    if not effects.status_changes and not effects.consents:
        return {}
    each = ((target_id, _of_one(effects, state, targets.by_id[target_id], occurred_at)) for target_id in target_ids)
    return {target_id: told for target_id, told in each if told}


def _of_one(effects: Effects, state: ProfileState, target: Target, occurred_at: int) -> Transitions:
    given = effects.consents.get(target.id)
    changed = {status.audience: status for status in effects.status_changes}
    told = [
        AudienceTransition(state.version, status.at, int(status.strength), *audience)
        for audience, status in changed.items()
        if status.crosses and audience in target.mapped and _shows(given, status.after)
    ]
    if given is not None:
        kind = TransitionKind.CONSENT_GIVEN if given else TransitionKind.CONSENT_WITHDRAWN
        told += [
            AudienceTransition(state.version, occurred_at, int(kind), *audience)
            for audience, membership in state.memberships.items()
            if membership.realized and audience in target.mapped and audience not in changed
        ]
    return merged(told) if len(told) > 1 else tuple(told)


def _shows(given: bool | None, after: str) -> bool:
    """A destination that hears nothing before a consent is given, or after, sees entries or exits alone."""
    return given is None or given is (after == "realized")


def tellable(transitions: Transitions, state: ProfileState, target: Target) -> Transitions:
    """Those of audiences that the destination maps now; without the consent that it asks for, exits alone.

    Of a profile that is being deleted also all that the destination may not have heard: soon nothing will know of it.
    """
    if state.deletion is not None and state.deletion.phase == DeletionPhase.LEAVING:
        transitions = merged(transitions, _last_words(state, target.id))
    if not transitions:
        return ()
    consented = consents(state, target)
    return tuple(each for each in transitions if each.audience in target.mapped and (consented or not each.entered))


def _last_words(state: ProfileState, target_id: str) -> Transitions:
    """What the deletion ended, and what changes of the last day have called for."""
    ended = (
        AudienceTransition(state.version, state.memberships[audience].time, int(Strength.EXPIRED), *audience)
        for audience in state.leftovers
        if state.memberships[audience].strength is Strength.EXPIRED
    )
    return merged(ended, *(due.transitions.get(target_id, ()) for due in state.due.values()))
