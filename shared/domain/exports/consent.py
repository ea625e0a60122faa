"""Consent: whether a destination that asks for it may have a profile's data, and what a change does to that."""

from dataclasses import replace

from shared.domain.configuration.targets import Target, Targets
from shared.domain.profile.change import ProfileChange
from shared.domain.profile.state import Effects, ProfileState

_GIVEN = frozenset({"y", "yes"})


def consents(state: ProfileState, target: Target) -> bool:
    """Whether `target` may have the profile's data; True where its dataflow asks for no consent.

    Consent is `true`, or "y" or "yes" in any case, as in XDM's `{"val": "y"}`. Anything else, or nothing, is none.
    """
    if target.consent is None:
        return True
    value = state.attributes.value_at(target.consent)
    return value is True or (isinstance(value, str) and value.lower() in _GIVEN)


def apply_change(state: ProfileState, change: ProfileChange, targets: Targets, now: int) -> Effects:
    """Write `change` into `state`, and see what that does to the consents which it can touch."""
    touched = list(targets.by_consent.touched_by(None if change.deleted else change.attributes))
    if not touched:
        return state.apply(change, now)
    before = [consents(state, target) for target in touched]
    effects = state.apply(change, now)
    moved = {
        target.id: not given
        for target, given in zip(touched, before, strict=True)
        if consents(state, target) is not given
    }
    return replace(effects, consents=moved) if moved else effects
