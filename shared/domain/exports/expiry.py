"""What time alone does to a profile: uploaded memberships lapse, and those that ended long ago are forgotten."""

from shared.domain.configuration.model import Audience
from shared.domain.configuration.targets import Targets
from shared.domain.exports.transition import Redelivered, Transition
from shared.domain.instants import DAY, SECOND, parse_instant
from shared.domain.profile.memberships import AudienceKey, Membership, Strength
from shared.domain.profile.state import Effects, ProfileState, StatusChange

UPLOAD_LIFETIME = 30 * DAY
EXITED_RETENTION = 30 * DAY


def lapsed(membership: Membership, audience: Audience | None, now: int) -> bool:
    """Whether an uploaded membership is over: at `validUntil`, else 30 days after lastQualificationTime."""
    if audience is None or audience.origin != "custom-upload" or not membership.realized:
        return False
    if membership.valid_until is not None:
        return parse_instant(membership.valid_until) <= now
    return parse_instant(membership.last_qualification_time) + UPLOAD_LIFETIME <= now


def lapsed_memberships(state: ProfileState, targets: Targets, now: int) -> list[AudienceKey]:
    """The memberships that ended over 30 days ago, and that no paused dataflow has still to hear of."""
    leftovers = set(state.leftovers)
    return [
        audience
        for audience, membership in state.memberships.items()
        if not membership.realized
        and audience not in leftovers
        and max(membership.time, membership.left_at * SECOND) + EXITED_RETENTION <= now
        and all(target.dataflow.enabled for target in targets.by_audience.get(audience, ()))
    ]


def expires(state: ProfileState, targets: Targets, item: str, now: int) -> bool:
    """Whether `expire` would do anything."""
    return (
        item in state.due
        or bool(_lapsed_audiences(state, targets, now))
        or bool(lapsed_memberships(state, targets, now))
    )


def expire(state: ProfileState, targets: Targets, item: str, now: int) -> Transition:
    """Do to `state` what time has come for, and tell who must hear of it; `item` names this attempt, for `due`.

    An expiry has the clock of the membership that it ends, so any later write wins over it. Forgetting what ended long
    ago makes a new version, for bodies change with it, but no export.
    """
    result = Transition()
    due = state.due.get(item)
    ending = _lapsed_audiences(state, targets, now)
    if ending:
        for audience in ending:
            state.memberships[audience] = state.memberships[audience].ended(now // SECOND)
        status_changes = [
            StatusChange(audience, "realized", "exited", state.memberships[audience].time, Strength.EXPIRED)
            for audience in ending
        ]
        result.follow(state, Effects(True, status_changes=status_changes), item, now, targets, now)
    if forgotten := lapsed_memberships(state, targets, now):
        for audience in forgotten:
            del state.memberships[audience]
        state.next_version(now)
        result.altered = True
    if due is not None:
        result.send_again(state, [Redelivered(item, now, due)], targets)
    return result


def _lapsed_audiences(state: ProfileState, targets: Targets, now: int) -> list[AudienceKey]:
    return [
        audience
        for audience, membership in state.memberships.items()
        if lapsed(membership, targets.catalog.get(audience), now)
    ]
