"""A made-up profile with all that a dataflow maps, to show what its exports look like before there is a real one."""

from typing import Any

from shared.domain.configuration.model import Configuration
from shared.domain.configuration.paths import parse_path
from shared.domain.configuration.targets import Targets
from shared.domain.exports.decision import BACKFILL
from shared.domain.exports.export import Export, export_of
from shared.domain.instants import SECOND, format_instant
from shared.domain.profile.change import ProfileChange
from shared.domain.profile.memberships import Membership
from shared.domain.profile.state import ProfileState

PROFILE_ID = "sample-profile"


def sample_export(configuration: Configuration, destination_id: str, now: int) -> Export:
    """What the destination, which must have a dataflow, would hear of the made-up profile."""
    targets = Targets.of(configuration)
    target = targets.by_id[destination_id]
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
        identities={"ecid": ["14575006536349286404619648085736425115"]},
        memberships={
            audience: Membership.written(
                time, realized=True, last_qualification_time=format_instant(time), valid_until=None
            )
            for audience in target.mapped
        },
    )
    state = ProfileState(PROFILE_ID)
    state.apply(change, now)
    return export_of(state, target, targets.catalog, (BACKFILL,), now)


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
