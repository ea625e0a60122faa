"""A made-up profile with all that a dataflow maps, to show what its exports look like before there is a real one."""

from typing import Any

from shared.domain.configuration.paths import parse_path
from shared.domain.configuration.targets import Target, Targets
from shared.domain.exports.dry_run import DryRunVerdict, verdict_on
from shared.domain.instants import SECOND, format_instant
from shared.domain.profile.change import ProfileChange
from shared.domain.profile.memberships import AudienceKey, Membership
from shared.domain.profile.state import ProfileState

PROFILE_ID = "sample-profile"
_UNMAPPED = 2


def sample_verdict(targets: Targets, destination_id: str, now: int) -> DryRunVerdict:
    """What the destination, which must have a dataflow that maps an audience, would hear of the made-up profile."""
    state = _profile(targets.by_id[destination_id], targets, now)
    return verdict_on(state, targets, destination_id, now)


def _profile(target: Target, targets: Targets, now: int) -> ProfileState:
    attributes: dict[str, Any] = {}
    for text in target.dataflow.attributes:
        path = parse_path(text)
        _put(attributes, path, f"sample {path[-1]}")
    if target.consent is not None:
        _put(attributes, target.consent, "y")
    time = now // SECOND * SECOND
    change = ProfileChange(
        profile_id=PROFILE_ID,
        occurred_at=time,
        change_id=None,
        attributes=attributes,
        identities={
            namespace: ["14575006536349286404619648085736425115"]
            for namespace in ("ecid", *(target.destination.identity_namespaces or ()))
        },
        memberships={
            audience: Membership.written(
                time, realized=True, last_qualification_time=format_instant(time), valid_until=None
            )
            for audience in (*target.mapped, *_unmapped(target, targets))
        },
    )
    state = ProfileState(PROFILE_ID)
    state.apply(change, now)
    return state


def _unmapped(target: Target, targets: Targets) -> list[AudienceKey]:
    """A few audiences of the catalog that exports tell of, unless they tell of mapped ones alone."""
    found = [
        key
        for key, audience in targets.catalog.items()
        if key not in target.mapped and audience.merge_policy_id in target.merge_policies
    ]
    return found[:_UNMAPPED]


def _put(attributes: dict[str, Any], path: tuple[str, ...], value: str) -> None:
    """Of paths that overlap, the longer one is what is shown."""
    node = attributes
    for key in path[:-1]:
        below = node.get(key)
        if not isinstance(below, dict):
            below = node[key] = {}
        node = below
    if not isinstance(node.get(path[-1]), dict):
        node[path[-1]] = value
