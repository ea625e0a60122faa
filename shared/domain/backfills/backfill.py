"""A backfill: who is exported by it, how it is cut into slices, and how far it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.backfills.resync import ResyncOrder
from shared.domain.backfills.upload import UploadOrder
from shared.domain.configuration.model import RequestedBackfill
from shared.domain.configuration.targets import Target
from shared.domain.exports.consent import consents
from shared.domain.exports.redrive_slices import SLICES as REDRIVE_SLICES
from shared.domain.instants import MILLISECOND, SECOND
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile.state import ProfileState
from shared.domain.profile_key import INDEX_BUCKETS


class BackfillKind(StrEnum):
    """`backfill` exports members of audiences to a destination, `resync` does so again on request; `sweep` does what
    time has come for to all profiles; `upload` puts the members of an audience, as a file lists them, on the queue of
    profile changes; `redrive` sends what a destination has undelivered.
    """

    BACKFILL = "backfill"
    RESYNC = "resync"
    SWEEP = "sweep"
    UPLOAD = "upload"
    REDRIVE = "redrive"

    @property
    def slices(self) -> int:
        """Into how many slices it is cut; a file is read from its beginning to its end."""
        return {BackfillKind.UPLOAD: 1, BackfillKind.REDRIVE: REDRIVE_SLICES}.get(self, INDEX_BUCKETS)

    @property
    def for_a_destination(self) -> bool:
        """Whether it exports to one."""
        return self.exports_members or self == BackfillKind.REDRIVE

    @property
    def exports_members(self) -> bool:
        """Whether it exports members of audiences to a destination, and waits while that takes nothing."""
        return self in {BackfillKind.BACKFILL, BackfillKind.RESYNC}


class BackfillState(StrEnum):
    """`created`: an upload that was not committed yet, or a resync that may be refused yet. `waiting` until it is due
    or its dataflow is resumed.
    """

    CREATED = "created"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Backfill:
    """Times are microseconds, 0 where something has not happened.

    `audiences`: each with the time since which a profile must have been saved, or None for all members. `revision`:
    the configuration's that it came with; whoever works on it must know that one or a later one. `due_at`: for what is
    `created`, when it is given up.
    """

    id: str
    kind: BackfillKind
    state: BackfillState
    requested_at: int
    due_at: int
    destination_id: str = ""
    audiences: tuple[tuple[AudienceKey, int | None], ...] = ()
    revision: int = 0
    started_at: int = 0
    finished_at: int = 0
    note: str = ""
    upload: UploadOrder | None = None
    resync: ResyncOrder | None = None

    @classmethod
    def of(cls, request: RequestedBackfill, mapped: Iterable[AudienceKey], delay: int) -> "Backfill":
        """What `request` asks for, due after `delay`; `mapped` are the audiences that its dataflow maps."""
        since = None if request.since is None else request.since * MILLISECOND
        new = {audience.key for audience in request.new}
        keys = mapped if request.audiences is None else [audience.key for audience in request.audiences]
        requested_at = request.requested_at * MILLISECOND
        return cls(
            id=request.id,
            kind=BackfillKind.BACKFILL,
            state=BackfillState.WAITING,
            requested_at=requested_at,
            due_at=requested_at + delay,
            destination_id=request.destination,
            audiences=tuple((key, None if key in new else since) for key in keys),
            revision=request.revision,
        )

    @property
    def finished(self) -> bool:
        return self.state in {BackfillState.DONE, BackfillState.FAILED, BackfillState.CANCELLED}


def redrive_id(destination_id: str) -> str:
    """The only one to a destination; no other backfill has a colon in its id."""
    return f"redrive:{destination_id}"


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a backfill that lies in one bucket. `cursor` says what was dealt with last, `share` how much of the
    slice lies behind it, from 0 to 1.

    Only the pointer with the current `sequence` may work on it: one that was replaced, for it seemed lost, is outdated.
    `note`: what keeps it from going on, or slows it; of one that is `done`, why it failed. `tally`: what its kind of
    work counts besides.
    """

    backfill_id: str
    bucket: int
    sequence: int = 1
    cursor: str = ""
    share: float = 0.0
    done: bool = False
    members: int = 0
    exported: int = 0
    undelivered: int = 0
    updated_at: int = 0
    note: str = ""
    tally: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """`share` is from 0 to 1, `seconds_left` None where there is nothing to go by."""

    members: int
    exported: int
    undelivered: int
    share: float
    members_per_second: float
    seconds_left: float | None

    @classmethod
    def of(cls, backfill: Backfill, slices: Sequence[Slice], now: int) -> "Progress":
        members = sum(part.members for part in slices)
        share = (
            sum(part.share for part in slices) / len(slices) if slices else float(backfill.state == BackfillState.DONE)
        )
        end = backfill.finished_at or now
        seconds = (end - backfill.started_at) / SECOND if backfill.started_at else 0.0
        return cls(
            members=members,
            exported=sum(part.exported for part in slices),
            undelivered=sum(part.undelivered for part in slices),
            share=share,
            members_per_second=members / seconds if seconds > 0 else 0.0,
            seconds_left=seconds * (1 - share) / share if share > 0 and not backfill.finished else None,
        )


def calls_for(backfill: Backfill, state: ProfileState, target: Target) -> bool:
    """Whether the backfill must export the profile: once, in however many of its audiences it is.

    A member of a newly mapped audience is exported if it is in the audience still. Of an audience that was exported
    before the pause, whoever was saved since then is: those in it, and those that left it since. Nobody without the
    consent that the dataflow asks for: who withdrew it during a pause is among what is undelivered. Nobody either whose
    last change has called for the same export: but for a resync, which is asked for where that was lost.
    """
    if not consents(state, target):
        return False
    if backfill.resync is not None:
        return _to_be_resynced(backfill, backfill.resync, state, target)
    if state.called_for(target.id, target.revision):
        return False
    for audience, since in backfill.audiences:
        membership = state.memberships.get(audience)
        if membership is None or audience not in target.mapped:
            continue
        if since is None:
            if membership.realized:
                return True
        elif state.version >= since and (membership.realized or (membership.left_at + 1) * SECOND > since):
            return True
    return False


def _to_be_resynced(backfill: Backfill, order: ResyncOrder, state: ProfileState, target: Target) -> bool:
    """Members of the audiences, and those who have left one: nobody who never was in it."""
    held = (state.memberships.get(audience) for audience, _ in backfill.audiences if audience in target.mapped)
    return state.version >= order.since and any(each and (each.realized or each.left_at) for each in held)
