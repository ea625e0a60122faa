"""A profile for people: all that is remembered of it, as plain JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.domain.exports.undelivered import Undelivered
from shared.domain.instants import SECOND, format_instant
from shared.domain.profile.state import ProfileState


@dataclass(frozen=True, slots=True)
class ProfileView:
    """`key` is the hash of the profile's id. Of a tombstone there is nothing but its version and deletion."""

    key: str
    state: ProfileState
    undelivered: list[Undelivered]

    def to_json(self) -> dict[str, Any]:
        """Times are ISO 8601, as in messages; `lastQualificationTime` and `validUntil` are as they were received."""
        state = self.state
        return {
            "profileId": state.profile_id,
            "profileKey": self.key,
            "profileVersion": state.version,
            "attributes": state.attributes.resolve(),
            "identityMap": _identities(state),
            "segmentMembership": _memberships(state),
            "due": [
                {
                    "item": item,
                    "savedAt": format_instant(due.saved_at * SECOND),
                    "profileVersion": due.version,
                    "destinations": _reasons(due.reasons),
                }
                for item, due in state.due.items()
            ],
            "deletion": _deletion(state),
            "undelivered": [row.to_json() for row in self.undelivered],
        }


def _identities(state: ProfileState) -> dict[str, list[dict[str, str]]]:
    ids = state.identities.ids if state.identities else {}
    return {namespace: [{"id": identity} for identity in those] for namespace, those in ids.items()}


def _memberships(state: ProfileState) -> dict[str, dict[str, dict[str, Any]]]:
    memberships: dict[str, dict[str, dict[str, Any]]] = {}
    for (namespace, audience_id), membership in sorted(state.memberships.items()):
        entry = {
            "status": membership.status,
            "lastQualificationTime": membership.last_qualification_time,
            "occurredAt": format_instant(membership.time),
        }
        if membership.valid_until is not None:
            entry["validUntil"] = membership.valid_until
        memberships.setdefault(namespace, {})[audience_id] = entry
    return memberships


def _deletion(state: ProfileState) -> dict[str, Any] | None:
    deletion = state.deletion
    if deletion is None:
        return None
    return {
        "deletedAt": format_instant(deletion.at),
        "savedAt": format_instant(deletion.saved_at * SECOND),
        "phase": str(deletion.phase),
        "owed": list(deletion.owed),
    }


def _reasons(reasons: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {destination_id: list(why) for destination_id, why in sorted(reasons.items())}
