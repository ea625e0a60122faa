"""Consent: whether a destination that asks for it may have a profile's data, and what a change does to that."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeAlias

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
    before = _touched(state, change, targets)
    candidates = _touched(state, change, targets.shadows.targets) if targets.shadows else ()
    effects = state.apply(change, now)
    if not before and not candidates:
        return effects
    moved, candidates_moved = _moved(state, before), _moved(state, candidates)
    if not moved and not candidates_moved:
        return effects
    return replace(effects, consents=moved, candidate_consents=candidates_moved)


_Consent: TypeAlias = tuple[Target, bool]


def _touched(state: ProfileState, change: ProfileChange, targets: Targets) -> list[_Consent]:
    """The targets whose consent `change` can touch, and whether they have it before."""
    touched = targets.by_consent.touched_by(None if change.deleted else change.attributes)
    return [(target, consents(state, target)) for target in touched]


def _moved(state: ProfileState, before: Iterable[_Consent]) -> dict[str, bool]:
    return {target.id: not given for target, given in before if consents(state, target) is not given}
