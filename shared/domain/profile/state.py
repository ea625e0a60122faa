"""What is remembered of a profile, and how a change alters it: any order of the same changes gives the same state."""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from shared.domain.instants import DAY, SECOND
from shared.domain.profile import crossing_marks, last_told
from shared.domain.profile.attributes import AttributeNode, AttributeWrite
from shared.domain.profile.audience_transitions import Transitions
from shared.domain.profile.change import ProfileChange
from shared.domain.profile.deletion import Deletion, DeletionPhase
from shared.domain.profile.due_exports import DueExports, let_go
from shared.domain.profile.identities import IdentityRegister
from shared.domain.profile.memberships import STRENGTHS, AudienceKey, Membership, Strength
from shared.domain.runs import flat, nested

SPENT_REGISTER_RETENTION = 30 * DAY
DELETION_RETENTION = 30 * DAY
DUE_RETENTION = DAY


@dataclass(frozen=True, slots=True)
class StatusChange:
    """An audience membership that reads otherwise than before; `before` is None where there was none.

    `at` (microseconds) and `strength` are what its register holds after it. A deletion also lists whoever had left
    before, from "exited" to "exited".
    """

    audience: AudienceKey
    before: str | None
    after: str
    at: int
    strength: Strength

    @property
    def crosses(self) -> bool:
        """Whether the profile enters or leaves the audience: whoever was never in it cannot have left it."""
        return self.before != self.after and not (self.before is None and self.after == "exited")


@dataclass(frozen=True, slots=True)
class Effects:
    """What a change did. `altered`: some register moved, so the state must be saved.

    `entered`: audiences that the state had no membership in before, whatever its status now. `identities_changed`: the
    namespaces of the identity map with others than before. `consents`: destination id -> whether the profile consents
    to it now, where that is otherwise than before; `candidate_consents`: the same by the candidates of shadows.
    """

    altered: bool
    attribute_writes: list[AttributeWrite] = field(default_factory=list)
    status_changes: list[StatusChange] = field(default_factory=list)
    identities_changed: frozenset[str] = frozenset()
    entered: list[AudienceKey] = field(default_factory=list)
    consents: dict[str, bool] = field(default_factory=dict)
    candidate_consents: dict[str, bool] = field(default_factory=dict)


@dataclass(slots=True)
class ProfileState:
    """`due` is the outbox: (queue message id and item) -> the exports that its redelivery must send once more.

    `decided_by` is the revision of the configuration by which the last change was decided on; 0 where none is known.
    `crossed`: when the profile lately entered and left audiences, for whoever counts their members. `told`: what each
    destination was last told by what is due no more, for people who ask.
    """

    profile_id: str
    version: int = 0
    attributes: AttributeNode = field(default_factory=AttributeNode)
    identities: IdentityRegister | None = None
    memberships: dict[AudienceKey, Membership] = field(default_factory=dict)
    due: dict[str, DueExports] = field(default_factory=dict)
    deletion: Deletion | None = None
    decided_by: int = 0
    crossed: crossing_marks.Marks = field(default_factory=dict, compare=False, repr=False)
    told: last_told.Marks = field(default_factory=dict, compare=False, repr=False)

    def apply(self, change: ProfileChange, now: int) -> Effects:
        """Write `change` into the registers; what is stale or a duplicate does nothing. `version` stays."""
        if self.deletion is not None and change.occurred_at <= self.deletion.at:
            return Effects(altered=False)
        if change.deleted:
            return self._delete(change.occurred_at, now)
        identities_dropped = self._begin_anew()
        writes: list[AttributeWrite] = []
        if change.attributes:
            writes = self.attributes.merge(change.attributes, change.occurred_at, now // SECOND)
        status_changes, entered, moved = self._apply_memberships(change, now)
        identities_moved, identities_changed = self._apply_identities(change)
        return Effects(
            altered=bool(writes or identities_dropped) or moved or identities_moved,
            attribute_writes=[write for write in writes if not write.covered],
            status_changes=status_changes,
            identities_changed=identities_changed | identities_dropped,
            entered=entered,
        )

    def _delete(self, at: int, now: int) -> Effects:
        """Forget what was written until `at`, but for what the last exports need.

        Whoever heard of the profile as a member hears of its end (docs/rules.md, "A deletion is told first"), also if
        it had left before: what they keep of it may go, and an exit may still wait for a dataflow to be resumed. Where
        later writes have made the profile anew already, it changes for who knows it.
        """
        earlier = self.deletion.audiences if self.deletion else ()
        owed = self.deletion.owed if self.deletion else ()
        self.deletion = Deletion(at, now // SECOND, DeletionPhase.LEAVING, owed, earlier)
        attribute_writes = self.attributes.drop_until(at)
        identities_changed = self._begin_anew() if self._lives_on else frozenset()
        ended = []
        for audience in self.leftovers:
            membership = self.memberships[audience]
            if membership.realized:
                self.memberships[audience] = membership.ended(now // SECOND)
            if membership.realized or membership.left_at:
                ended.append(StatusChange(audience, membership.status, "exited", membership.time, Strength.EXPIRED))
        return Effects(
            altered=True,
            attribute_writes=attribute_writes,
            status_changes=ended,
            identities_changed=identities_changed,
        )

    @property
    def _lives_on(self) -> bool:
        """Whether anything was written after the deletion."""
        return self.attributes.written or len(self.leftovers) < len(self.memberships)

    @property
    def leftovers(self) -> list[AudienceKey]:
        """Memberships that a deletion ended and that are kept until every destination has heard of it."""
        if self.deletion is None:
            return []
        return [audience for audience, membership in self.memberships.items() if membership.time <= self.deletion.at]

    def _begin_anew(self) -> frozenset[str]:
        """Whoever comes after a deletion is somebody else: the identities from before are not theirs.

        The namespaces in which there were any.
        """
        if self.deletion is None or self.identities is None or self.identities.time > self.deletion.at:
            return frozenset()
        dropped = self.identities.others_than(None)
        self.identities = None
        return dropped

    def drop_leftovers(self) -> None:
        """Forget what a deletion left for the last exports. The state needs a new version then."""
        if self.deletion is None or self.deletion.phase != DeletionPhase.LEAVING:
            return
        audiences = tuple(dict.fromkeys((*self.deletion.audiences, *self.leftovers)))
        for audience in self.leftovers:
            del self.memberships[audience]
            self.crossed.pop(audience, None)
        self._begin_anew()
        self.deletion = replace(self.deletion, phase=DeletionPhase.CLEANING, owed=(), audiences=audiences)
        self.told = {}
        if self.empty:
            self.due = {}

    @property
    def empty(self) -> bool:
        """Whether nothing is known of the profile, besides perhaps that it was deleted."""
        return not self.memberships and self.identities is None and not self.attributes.written

    @property
    def forgotten(self) -> bool:
        """Whether all that is known is that the profile was deleted."""
        return self.deletion is not None and self.empty

    def _apply_memberships(self, change: ProfileChange, now: int) -> tuple[list[StatusChange], list[AudienceKey], bool]:
        status_changes, entered, moved = [], [], False
        for audience, written in change.memberships.items():
            current = self.memberships.get(audience)
            if not written.beats(current):
                continue
            moved = True
            self.memberships[audience] = written.after(current, now // SECOND)
            if current is None:
                entered.append(audience)
            before = current.status if current else None
            if before != written.status:
                status_changes.append(StatusChange(audience, before, written.status, written.time, written.strength))
        return status_changes, entered, moved

    def _apply_identities(self, change: ProfileChange) -> tuple[bool, frozenset[str]]:
        if change.identities is None:
            return False, frozenset()
        written = IdentityRegister(change.occurred_at, change.identities)
        if not written.beats(self.identities):
            return False, frozenset()
        changed = written.others_than(self.identities)
        self.identities = written
        return True, changed

    def next_version(self, now: int) -> int:
        """Take the version of the state as it is now: greater than every earlier one, even across a deletion."""
        self.version = max(self.version + 1, now)
        return self.version

    def crosses(self, audience: AudienceKey, *, entered: bool) -> None:
        """Note that by its present version the profile entered the audience, or left it."""
        crossing_marks.mark(self.crossed, audience, self.version, was_in=not entered)

    def audiences_at(self, at: int) -> set[AudienceKey]:
        """Those that the profile was in at `at`, the beginning of a slot of the last day."""
        realized = (audience for audience, membership in self.memberships.items() if membership.realized)
        return crossing_marks.were_in(self.crossed, realized, at)

    def call_for(self, item: str, due: DueExports) -> None:
        """Note exports that are due from now on: until `item` comes again, or a day has passed."""
        self.due[item] = due
        if self.told:
            for destination_id in due.reasons:
                self.told.pop(destination_id, None)

    def let_go(self, items: Iterable[str]) -> None:
        """Let go of these that are due, but for what each destination was last told by them."""
        self.told = let_go(self.due, self.told, items)

    def called_for(self, destination_id: str, revision: int) -> bool:
        """Whether a change has called for an export of this very version to the destination, as it looks by `revision`.

        Then it was sent, is on its way or undelivered, or is sent by the message's redelivery.
        """
        return 0 < revision <= self.decided_by and any(
            due.version == self.version and destination_id in due.reasons for due in self.due.values()
        )

    def called_for_since(self, destination_id: str, version: int) -> bool:
        """Whether a change has called for an export of a version later than that to the destination."""
        return any(due.version > version and destination_id in due.reasons for due in self.due.values())

    def destinations_called(self, since: int, others_than: Container[str]) -> set[str]:
        """Those that changes have called for exports to after `since` (microseconds), but for these items."""
        return {
            destination_id
            for item, due in self.due.items()
            if due.version > since and item not in others_than
            for destination_id in due.reasons
        }

    def transitions_at(self, destination_id: str) -> Transitions:
        """What the destination was to be told of besides the state of this very version."""
        of_version = (due for due in self.due.values() if due.version == self.version)
        return next((due.transitions[destination_id] for due in of_version if destination_id in due.transitions), ())

    def forget_outdated(self, now: int) -> None:
        """Drop what no redelivery or reordering within the promised times can ask for any more."""
        self.attributes.drop_spent((now - SPENT_REGISTER_RETENTION) // SECOND)
        oldest = (now - DUE_RETENTION) // SECOND
        if outdated := [item for item, due in self.due.items() if due.saved_at < oldest]:
            self.let_go(outdated)
        if self.crossed:
            self.crossed = crossing_marks.recent(self.crossed, now)
        if self.deletion_outdated(now):
            self.deletion = None

    def deletion_outdated(self, now: int) -> bool:
        """Whether no write from before the deletion can arrive any more within the promised times."""
        if self.deletion is None or self.deletion.phase != DeletionPhase.DONE:
            return False
        return max(self.deletion.at, self.deletion.saved_at * SECOND) < now - DELETION_RETENTION

    def to_document(self) -> dict[str, Any]:
        """A JSON form of the state; `from_document` reads it, and those of all earlier releases.

        A tombstone, all that is left of a profile that was deleted, does not even have the profile's id.
        """
        rare: dict[str, Any] = {"deletion": self.deletion.to_document()} if self.deletion else {}
        if self.forgotten:
            return {"version": self.version, **rare}
        memberships: dict[str, dict[str, list[Any]]] = {}
        for (namespace, audience_id), m in self.memberships.items():
            entry = [m.time, m.strength, m.last_qualification_time, m.valid_until, m.left_at or None]
            while entry[-1] is None:
                entry.pop()
            memberships.setdefault(namespace, {})[audience_id] = entry
        if self.crossed:
            rare["crossed"] = nested(self.crossed)
        if self.told:
            rare["told"] = self.told
        # Beside what is due, and not in it: an instance of release 0.1 refuses an entry with more than three parts.
        told = {item: due.transitions_document() for item, due in self.due.items() if due.transitions}
        return rare | {
            "profileId": self.profile_id,
            "version": self.version,
            "attributes": self.attributes.to_document(),
            "identities": [self.identities.time, self.identities.ids] if self.identities else None,
            "memberships": memberships,
            "due": {item: [due.saved_at, due.version, due.reasons] for item, due in self.due.items()},
            **({"transitions": told} if told else {}),
            "decidedBy": self.decided_by,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any], profile_id: str = "") -> "ProfileState":
        """`profile_id` is for tombstones, which do not know it; it stays empty where the caller does not either."""
        deletion = Deletion.from_document(document["deletion"]) if "deletion" in document else None
        if "profileId" not in document:
            return cls(profile_id, document["version"], deletion=deletion)
        told = document.get("transitions", {})
        return cls(
            profile_id=document["profileId"],
            version=document["version"],
            attributes=AttributeNode.from_document(document["attributes"]),
            identities=IdentityRegister(*document["identities"]) if document["identities"] else None,
            memberships={
                (namespace, audience_id): Membership(entry[0], STRENGTHS[entry[1]], *entry[2:])
                for namespace, audiences in document["memberships"].items()
                for audience_id, entry in audiences.items()
            },
            due={item: DueExports.of_document(due, told.get(item, {})) for item, due in document["due"].items()},
            deletion=deletion,
            decided_by=document.get("decidedBy", 0),
            crossed=flat(document.get("crossed", {})),
            told=document.get("told", {}),
        )
