"""What a destination is told: the export's body and what travels beside it."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from shared.domain.configuration.model import Audience, Destination
from shared.domain.configuration.paths import EXPORT_METADATA
from shared.domain.configuration.targets import Target
from shared.domain.exports.consent import consents
from shared.domain.exports.crossings import tellable
from shared.domain.exports.decision import NOT_OF_A_CHANGE
from shared.domain.instants import format_instant
from shared.domain.jsonvalue import json_bytes
from shared.domain.profile.audience_transitions import Transitions
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile.state import ProfileState
from shared.domain.profile_key import profile_key

_METADATA = EXPORT_METADATA.encode()


@dataclass(frozen=True, slots=True)
class Export:
    """One event for one destination: the profile as it is at `version`, seen through `config_revision`.

    `traceparent` names the trace of the message that called for it, if that named one. `transitions`: what it tells of
    besides its state, all that it stands for; `omitted` more were too many to keep. `present`: of a backfill, the
    mapped audiences that the profile is in.
    """

    destination: Destination
    profile_id: str
    version: int
    config_revision: int
    reasons: tuple[str, ...]
    occurred_at: int
    body: bytes
    traceparent: str | None = None
    transitions: Transitions = ()
    omitted: int = 0
    present: tuple[AudienceKey, ...] | None = None

    @property
    def message_id(self) -> str:
        """The same for the same export, however often it is sent."""
        identity = [self.destination.id, self.profile_id, self.version, self.config_revision]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]

    @property
    def partition_key(self) -> str | None:
        """By which a compacted hub tells profiles apart; None where the destination wants none."""
        return profile_key(self.profile_id) if self.destination.keyed else None

    @property
    def application_properties(self) -> dict[str, str | int]:
        """What a consumer needs besides the body; the greatest (profileVersion, configRevision) is current."""
        # The Event Hubs SDKs have known a trace by the second name for longer than by the first.
        trace = {"traceparent": self.traceparent, "Diagnostic-Id": self.traceparent} if self.traceparent else {}
        return {
            "reason": ",".join(self.reasons),
            "destinationId": self.destination.id,
            "profileId": self.profile_id,
            "profileVersion": self.version,
            "configRevision": self.config_revision,
            "occurredAt": format_instant(self.occurred_at),
            **(self._membership_properties() if self.transitions or self.present is not None or self.omitted else {}),
            **self.destination.static_properties,
            **trace,
        }

    @property
    def metadata(self) -> dict[str, Any]:
        """The same for who reads bodies alone. Times have six digits, so that columns of them are of one form."""
        metadata: dict[str, Any] = {
            "messageId": self.message_id,
            "destinationId": self.destination.id,
            "profileId": self.profile_id,
            "profileVersion": self.version,
            "configRevision": self.config_revision,
            "reason": ",".join(self.reasons),
            "occurredAt": format_instant(self.occurred_at, decimals=True),
            **self._told(),
        }
        if self.omitted:
            metadata["transitionsOmitted"] = self.omitted
        if self.present is not None:
            metadata["present"] = [_name(audience) for audience in self.present]
        return metadata

    def _membership_properties(self) -> dict[str, str | int]:
        properties: dict[str, str | int] = {name: ",".join(those) for name, those in self._told().items() if those}
        if self.present is not None:
            properties["present"] = ",".join(map(_name, self.present))
        if self.omitted:
            properties["transitionsOmitted"] = self.omitted
        return properties

    def _told(self) -> dict[str, list[str]]:
        entered: list[str] = []
        left: list[str] = []
        ids: list[str] = []
        for each in self.transitions:
            (entered if each.entered else left).append(_name(each.audience))
            ids.append(each.id_for(self.destination.id, self.profile_id))
        return {"entered": entered, "left": left, "transitionIds": ids}


def _name(audience: AudienceKey) -> str:
    """`namespace/id`; what separates it from others is percent-encoded within a name."""
    namespace, audience_id = audience
    return f"{_escaped(namespace)}/{_escaped(audience_id)}"


def _escaped(name: str) -> str:
    return name.replace("%", "%25").replace(",", "%2C").replace("/", "%2F")


def export_of(
    state: ProfileState,
    target: Target,
    catalog: dict[AudienceKey, Audience],
    reasons: Iterable[str],
    occurred_at: int,
    transitions: Transitions = (),
    omitted: int = 0,
) -> Export:
    """The export of `state`, at its current version, to `target`. Of `transitions` it tells what it may tell now."""
    reasons = tuple(reasons)
    export = Export(
        destination=target.destination,
        profile_id=state.profile_id,
        version=state.version,
        config_revision=target.revision,
        reasons=reasons,
        occurred_at=occurred_at,
        body=export_body(state, target, catalog),
        transitions=tellable(transitions, state, target),
        omitted=omitted,
        present=None if NOT_OF_A_CHANGE.isdisjoint(reasons) else _present(state, target),
    )
    if not target.destination.include_export_metadata:
        return export
    return replace(
        export, body=export.body[:-1] + b',"%b":%b}' % (_METADATA, json_bytes(export.metadata, sort_keys=False))
    )


def _present(state: ProfileState, target: Target) -> tuple[AudienceKey, ...]:
    realized = (audience for audience, membership in state.memberships.items() if membership.realized)
    return tuple(sorted(audience for audience in realized if audience in target.mapped and consents(state, target)))


def current_export(
    state: ProfileState,
    target: Target,
    catalog: dict[AudienceKey, Audience],
    reasons: Iterable[str],
    occurred_at: int,
    transitions: Transitions = (),
    omitted: int = 0,
) -> Export | None:
    """What `target` is told of the profile when it is told again; None if it does not want the profile (any more)."""
    if not any(audience in target.mapped for audience in state.memberships):
        return None
    return export_of(state, target, catalog, reasons, occurred_at, transitions, omitted)


def export_body(state: ProfileState, target: Target, catalog: dict[AudienceKey, Audience]) -> bytes:
    """The specification's JSON (docs/rules.md, "The JSON of an export"); the same state always gives the same bytes.

    Of a profile without the consent that `target` asks for, it is the exit from everything: no attributes.
    """
    consented = consents(state, target)
    attributes = json_bytes(state.attributes.cut(target.mask) if consented else {})
    detailed = target.destination.include_segment_timestamps or target.destination.include_segment_names
    memberships: dict[str, dict[str, Any]] = {}
    for key, membership in state.memberships.items():
        audience = catalog.get(key)
        # The mapped audiences and the others of the same merge policy, those that the profile left included.
        if key in target.mapped or (audience is not None and audience.merge_policy_id in target.shown_policies):
            entry: dict[str, Any] = {
                "lastQualificationTime": membership.last_qualification_time,
                "status": membership.status if consented else "exited",
            }
            if detailed:
                entry |= _details(key, audience, target)
            memberships.setdefault(key[0], {})[key[1]] = entry
    identities = {
        namespace: [{"id": identity} for identity in ids]
        for namespace, ids in (state.identities.ids.items() if state.identities else ())
        if target.exports_identities(namespace)
    }
    rest = b'"segmentMembership":%b,"identityMap":%b}' % (json_bytes(memberships), json_bytes(identities))
    return attributes[:-1] + (b"," if attributes != b"{}" else b"") + rest


def _details(key: AudienceKey, audience: Audience | None, target: Target) -> dict[str, Any]:
    """What the destination wants to know of an audience besides the membership."""
    details: dict[str, Any] = {}
    if target.destination.include_segment_timestamps:
        if audience:
            details |= {"createdAt": audience.created_at, "updatedAt": audience.updated_at}
        if mapping := target.mapped.get(key):
            details |= {
                "mappingCreatedAt": mapping.mapping_created_at,
                "mappingUpdatedAt": mapping.mapping_updated_at,
            }
    if target.destination.include_segment_names and audience:
        details["name"] = audience.name
    return details
