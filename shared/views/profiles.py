"""What is remembered of a profile, and what a change of it would export."""

import json
from typing import Any, Literal

from pydantic import Field

from shared.domain.exports.dry_run import DryRun, DryRunVerdict
from shared.domain.exports.export import Export
from shared.domain.instants import SECOND, format_instant
from shared.domain.profile.state import ProfileState
from shared.services.changes.explain import KnownProfile
from shared.views.quarantine import QuarantineEntryView
from shared.views.undelivered import UndeliveredView
from shared.views.view import Audience, Instant, View


class ToldView(View):
    """An export that a change called for; backfills, resyncs and retries are not among them.

    `waits`: it is undelivered. Of what does not wait, the hub has acknowledged this version or a later one, unless its
    queue message is still to be done.
    """

    destination_id: str
    profile_version: int = Field(validation_alias="version")
    at: Instant = Field(description="When it was saved and sent, by the clock of the worker")
    reasons: list[str]
    item: str | None = Field(description="The queue message and item that called for it, for a day")
    waits: bool


class ProfileDocument(View):
    """All that is remembered of a profile. `due`: exports that the redelivery of a queue message would send again.

    `told`: what destinations were told, the latest first: of the last day all, of earlier the last one for each.
    `quarantined`: items that name the profile and could not be taken, the newest first, 50 at most.
    """

    profile_id: str
    profile_key: str
    profile_version: int
    attributes: dict[str, Any]
    identity_map: dict[str, list[dict[str, str]]]
    segment_membership: dict[str, dict[str, dict[str, Any]]]
    due: list[dict[str, Any]]
    deletion: dict[str, Any] | None = Field(description="When it was deleted, how far that is, who must still hear")
    told: list[ToldView]
    undelivered: list[UndeliveredView]
    quarantined: list[QuarantineEntryView]

    @classmethod
    def of(cls, known: KnownProfile) -> "ProfileDocument":
        """Times are ISO 8601, as in messages; `lastQualificationTime` and `validUntil` are as they were received."""
        state = known.state
        ids = state.identities.ids if state.identities else {}
        return cls(
            profile_id=state.profile_id,
            profile_key=known.key,
            profile_version=state.version,
            attributes=state.attributes.resolve(),
            identity_map={namespace: [{"id": each} for each in those] for namespace, those in ids.items()},
            segment_membership=_memberships(state),
            due=[
                {
                    "item": item,
                    "savedAt": format_instant(due.saved_at * SECOND),
                    "profileVersion": due.version,
                    "destinations": {each: list(why) for each, why in sorted(due.reasons.items())},
                }
                for item, due in state.due.items()
            ],
            deletion=_deletion(state),
            told=[ToldView.model_validate(each) for each in known.told],
            undelivered=[UndeliveredView.of(row) for row in known.undelivered],
            quarantined=[QuarantineEntryView.model_validate(each) for each in known.quarantined],
        )


class VerdictView(View):
    """What one destination would hear: an `export`, or nothing, and `why` not."""

    destination_id: str
    outcome: Literal["sent", "parked", "nothing"]
    why: list[str]
    held_back: str | None = Field(description="Why an export would be parked instead of sent")
    export: dict[str, Any] | None = Field(description="messageId, reasons, applicationProperties, body")
    realized_in: list[Audience]
    left: list[Audience]
    unmapped: list[Audience] = Field(description="Those that the export tells of though nobody mapped them")
    left_out: list[Audience] = Field(description="Those that it would tell of, were it not for onlyMappedAudiences")
    identities_left_out: list[str] = Field(description="Namespaces that the export does not hold by identityNamespaces")
    undelivered: UndeliveredView | None

    @classmethod
    def of(cls, verdict: DryRunVerdict) -> "VerdictView":
        return cls(
            destination_id=verdict.destination_id,
            outcome=verdict.outcome,
            why=verdict.why,
            held_back=verdict.held_back,
            export=None if verdict.export is None else _export(verdict.export),
            realized_in=verdict.realized,
            left=verdict.left,
            unmapped=verdict.unmapped,
            left_out=verdict.left_out,
            identities_left_out=verdict.identities_left_out,
            undelivered=None if verdict.undelivered is None else UndeliveredView.of(verdict.undelivered),
        )


class DryRunView(View):
    """`problems`: why the change would go to quarantine; then there are no destinations."""

    profile_id: str
    at: Instant
    profile_version: int
    altered: bool
    problems: list[str]
    destinations: list[VerdictView]

    @classmethod
    def of(cls, foreseen: DryRun) -> "DryRunView":
        return cls(
            profile_id=foreseen.profile_id,
            at=foreseen.at,
            profile_version=foreseen.version,
            altered=foreseen.altered,
            problems=foreseen.problems,
            destinations=[VerdictView.of(verdict) for verdict in foreseen.verdicts],
        )


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


def _export(export: Export) -> dict[str, Any]:
    return {
        "messageId": export.message_id,
        "reasons": list(export.reasons),
        "applicationProperties": export.application_properties,
        "body": json.loads(export.body),
    }
