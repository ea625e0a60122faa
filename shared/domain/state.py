"""What is remembered of a profile, and how a change alters it: any order of the same changes gives the same state."""

from dataclasses import dataclass, field
from typing import Any

from shared.domain.attributes import AttributeNode, AttributeWrite
from shared.domain.change import ProfileChange
from shared.domain.identities import IdentityRegister
from shared.domain.instants import DAY, SECOND
from shared.domain.memberships import AudienceKey, Membership, Strength

SPENT_REGISTER_RETENTION = 30 * DAY
DUE_RETENTION = DAY


@dataclass(frozen=True, slots=True)
class StatusChange:
    """An audience membership that reads otherwise than before; `before` is None where there was none."""

    audience: AudienceKey
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Effects:
    """What a change did. `altered`: some register moved, so the state must be saved."""

    altered: bool
    attribute_writes: list[AttributeWrite]
    status_changes: list[StatusChange]
    identities_changed: bool


@dataclass(frozen=True, slots=True)
class DueExports:
    """The exports that one applied change calls for: destination id -> reasons. `saved_at` is in seconds."""

    saved_at: int
    version: int
    reasons: dict[str, list[str]]


@dataclass(slots=True)
class ProfileState:
    """`due` is the outbox: (queue message id and item) -> the exports that its redelivery must send once more."""

    profile_id: str
    version: int = 0
    attributes: AttributeNode = field(default_factory=AttributeNode)
    identities: IdentityRegister | None = None
    memberships: dict[AudienceKey, Membership] = field(default_factory=dict)
    due: dict[str, DueExports] = field(default_factory=dict)

    def apply(self, change: ProfileChange, now: int) -> Effects:
        """Write `change` into the registers; what is stale or a duplicate does nothing. `version` stays."""
        writes: list[AttributeWrite] = []
        if change.attributes:
            writes = self.attributes.merge(change.attributes, change.occurred_at, now // SECOND)
        status_changes, moved = self._apply_memberships(change)
        identities_moved, identities_changed = self._apply_identities(change)
        return Effects(
            altered=bool(writes) or moved or identities_moved,
            attribute_writes=[write for write in writes if not write.covered],
            status_changes=status_changes,
            identities_changed=identities_changed,
        )

    def _apply_memberships(self, change: ProfileChange) -> tuple[list[StatusChange], bool]:
        status_changes, moved = [], False
        for audience, written in change.memberships.items():
            current = self.memberships.get(audience)
            if not written.beats(current):
                continue
            moved = True
            self.memberships[audience] = written
            before = current.status if current else None
            if before != written.status:
                status_changes.append(StatusChange(audience, before, written.status))
        return status_changes, moved

    def _apply_identities(self, change: ProfileChange) -> tuple[bool, bool]:
        if change.identities is None:
            return False, False
        written = IdentityRegister(change.occurred_at, change.identities)
        if not written.beats(self.identities):
            return False, False
        before = self.identities.as_set() if self.identities else frozenset()
        self.identities = written
        return True, before != written.as_set()

    def next_version(self, now: int) -> int:
        """Take the version of the state as it is now: greater than every earlier one, even across a deletion."""
        self.version = max(self.version + 1, now)
        return self.version

    def forget_outdated(self, now: int) -> None:
        """Drop what no redelivery or reordering within the promised times can ask for any more."""
        self.attributes.drop_spent((now - SPENT_REGISTER_RETENTION) // SECOND)
        oldest = (now - DUE_RETENTION) // SECOND
        self.due = {item: due for item, due in self.due.items() if due.saved_at >= oldest}

    def to_document(self) -> dict[str, Any]:
        """A JSON form of the state; `from_document` reads it, and those of all earlier releases."""
        memberships: dict[str, dict[str, list[Any]]] = {}
        for (namespace, audience_id), m in self.memberships.items():
            entry = [m.time, m.strength, m.last_qualification_time, *([m.valid_until] if m.valid_until else [])]
            memberships.setdefault(namespace, {})[audience_id] = entry
        return {
            "profileId": self.profile_id,
            "version": self.version,
            "attributes": self.attributes.to_document(),
            "identities": [self.identities.time, self.identities.ids] if self.identities else None,
            "memberships": memberships,
            "due": {item: [due.saved_at, due.version, due.reasons] for item, due in self.due.items()},
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "ProfileState":
        return cls(
            profile_id=document["profileId"],
            version=document["version"],
            attributes=AttributeNode.from_document(document["attributes"]),
            identities=IdentityRegister(*document["identities"]) if document["identities"] else None,
            memberships={
                (namespace, audience_id): Membership(entry[0], Strength(entry[1]), *entry[2:])
                for namespace, audiences in document["memberships"].items()
                for audience_id, entry in audiences.items()
            },
            due={item: DueExports(*due) for item, due in document["due"].items()},
        )
