"""Writes a profile: decide, list it in the member index, save with what is due, send."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias
from weakref import WeakValueDictionary

from shared.concurrency import all_of
from shared.domain.configuration.targets import Targets
from shared.domain.exports.transition import Transition
from shared.domain.instants import within
from shared.domain.profile.due_exports import DueExports
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile.state import ProfileState
from shared.domain.profile_key import profile_key
from shared.errors import ConflictError, ProfileTooLargeError, RelayError, StorageError
from shared.places import Places
from shared.ports.members import MemberIndex
from shared.ports.profiles import ProfileStore, StoredProfile
from shared.ports.time import Clock, Sleep
from shared.ports.tracing import Origin
from shared.services.changes.recent_profiles import RecentProfiles
from shared.services.configuration.cache import ConfigurationCache, ConfigurationSnapshot
from shared.services.delivery.deliver import Delivered, Delivery
from shared.services.delivery.settle import MAY_BE_UNDER_WAY, SENT_IN_TIME, SettleStreams, settled
from shared.services.runs.record import RecordRuns

PROFILES_AT_ONCE = 64
"""Enough to hide the latency of storage; so few that all of them may decide within one turn of the event loop.

A few large messages hold thousands. All of them at once would keep the event loop busy for longer than a hub is waited
for, and what a hub acknowledged meanwhile would be stored as undelivered.
"""
HUBS_WAITED_FOR = 0.5
"""Seconds for which a profile whose exports are not acknowledged keeps others waiting: a hub may be stalled."""
SAVE_ATTEMPTS = 10
STORAGE_ATTEMPTS = 3
DUE_KEPT = 32
LET_GO_AT_ONCE = 8
"""Fewer are not worth a request."""
_ITEMS_REMEMBERED = 10_000
_BACKOFF_SECONDS = 0.02

Act: TypeAlias = Callable[[ProfileState, Targets, int], Transition]
"""What to do to a profile at a time; it may be asked again, with the profile as it is by then."""


class Again(StrEnum):
    """Why a decision was not saved, so that the profile is read and decided on anew."""

    OUTDATED = "remembered state outdated"
    SAVED_BY_OTHERS = "saved by others"
    NEW_CONFIGURATION = "configuration changed"
    STORAGE_FAILED = "storage failed"


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a write: the profile as it was saved, what followed, and what became of its exports.

    `unsettled`: the destinations that are sent the profile once more, for an older version may have come last.
    """

    profile: StoredProfile
    result: Transition
    delivered: Delivered
    unsettled: set[str]

    @property
    def acknowledged(self) -> dict[str, int]:
        """The destinations that have the last export there was for them, and its version."""
        latest = {export.destination.id: export.version for export in self.result.exports}
        return {
            export.destination.id: export.version
            for export in self.delivered.sent
            if export.version == latest[export.destination.id] and export.destination.id not in self.unsettled
        }


@dataclass(frozen=True, slots=True)
class _Saved:
    """`configuration` is the latest by which the decision stands, `before` the profile's version before it."""

    profile: StoredProfile
    result: Transition
    configuration: ConfigurationSnapshot
    decided_at: int
    before: int

    @property
    def announced(self) -> dict[str, DueExports]:
        """What this save has made due."""
        due = self.profile.state.due
        return {item: due[item] for item in self.result.items if item in due and due[item].version > self.before}


@dataclass(frozen=True, slots=True)
class _Unsaved:
    why: Again
    error: StorageError | None = None


class ProfileWriter:
    def __init__(
        self,
        *,
        profiles: ProfileStore,
        members: MemberIndex,
        configuration: ConfigurationCache,
        delivery: Delivery,
        settle: SettleStreams,
        runs: RecordRuns,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._profiles = profiles
        self._members = members
        self._configuration = configuration
        self._delivery = delivery
        self._settling = settle
        self._runs = runs
        self._clock = clock
        self._sleep = sleep
        self._recent = RecentProfiles(profiles, clock)
        self._intake = Places(PROFILES_AT_ONCE, HUBS_WAITED_FOR)
        self._told = _Items()
        self._own = _Items()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._being_saved = 0

    async def write(self, profile_id: str, act: Act, origin: Origin | None = None) -> Written:
        """Return once what `act` does is saved, and every export acknowledged or stored as undelivered.

        `origin` is of the message that calls for it, if one does.
        Raises ProfileTooLargeError, ConflictError when it could not be saved at any attempt, StorageError; nothing was
        sent then, unless what could not be sent could not be stored either.
        """
        # The lock spares writes of this worker losing to each other; between workers the ETag decides.
        async with self._locks.setdefault(profile_id, asyncio.Lock()):
            place = await self._intake.enter()
            self._being_saved += 1
            try:
                saved = await self._save(profile_id, act)
                self._count(saved)
                for item in saved.announced:
                    self._own.add(item)
                begun = self._delivery.begin(saved.result.exports, saved.configuration, origin, more_follow=True)
            except BaseException:
                place.leave()
                raise
            finally:
                self._being_saved -= 1
                if not self._being_saved:
                    self._delivery.flush()
        try:
            place.leave_soon()
            delivered = await self._delivery.finish(begun)
        finally:
            place.leave()
        self._remember_told(saved.profile, saved.result.items)
        unsettled = await self._keep_order(saved, delivered)
        await self._forget_what_was_due(saved.profile, saved.result)
        return Written(saved.profile, saved.result, delivered, unsettled)

    async def _save(self, profile_id: str, act: Act) -> "_Saved":
        """Decide and save until nobody else saved in between; nothing was sent yet when the save says so.

        After a save of which nothing is known, reading again tells: what was saved is due by then.
        """
        again: Counter[Again] = Counter()
        profile = self._recent.recall(profile_id, profile_key(profile_id))
        remembered = profile is not None
        while again.total() < SAVE_ATTEMPTS:
            if again:
                await self._sleep(_BACKOFF_SECONDS * again.total())
            outcome = await self._attempt(profile or await self._profiles.load(profile_id), act, remembered)
            if isinstance(outcome, _Saved):
                return outcome
            self._runs.decided_again(str(outcome.why))
            if not remembered:
                again[outcome.why] += 1
            if outcome.error is not None and again[outcome.why] == STORAGE_ATTEMPTS:
                raise outcome.error
            profile, remembered = None, False
        raise ConflictError(_why_not_saved(again))

    def _count(self, saved: "_Saved") -> None:
        mapped = saved.configuration.targets.by_audience
        for audience, entered, version in saved.result.crossed:
            self._runs.crossed(audience, version, entered=entered, mapped=audience in mapped)
        for compared in saved.result.compared:
            self._runs.compared(compared)

    async def _attempt(self, profile: StoredProfile, act: Act, remembered: bool) -> "_Saved | _Unsaved":
        """Raises what `write` does.

        Of a `remembered` profile, which may be outdated, only what a save confirms is believed, or that nothing is to
        be done: what is due is sent with the profile as it is now, and somebody may have made room in it.
        """
        configuration = await self._configuration.current()
        now, before = self._clock(), profile.state.version
        result = act(profile.state, configuration.targets, now)
        if not result.altered:
            if remembered and result.exports:
                return _Unsaved(Again.OUTDATED)
            return _Saved(profile, result, configuration, now, before)
        profile.state.forget_outdated(now)
        await self._list(profile.key, result.entered)
        latest = await self._configuration.current()
        if latest.revision != configuration.revision:
            return _Unsaved(Again.NEW_CONFIGURATION)
        try:
            await self._profiles.save(profile)
        except ConflictError:
            self._recent.not_saved(profile.key)
            return _Unsaved(Again.SAVED_BY_OTHERS)
        except ProfileTooLargeError:
            if remembered:
                return _Unsaved(Again.OUTDATED)
            raise
        except StorageError as error:
            self._recent.not_saved(profile.key)
            return _Unsaved(Again.STORAGE_FAILED, error)
        self._recent.saved(profile)
        return _Saved(profile, result, latest, now, before)

    async def _list(self, key: str, audiences: Sequence[AudienceKey]) -> None:
        """Ahead of each attempt to save, not once: a sweep that found the row of no use may have deleted it between."""
        if audiences:
            await all_of(self._members.add(audience, key) for audience in dict.fromkeys(audiences))

    def _remember_told(self, profile: StoredProfile, items: Iterable[str]) -> None:
        """Of what was due, that its transitions were told: those no later state makes up for."""
        for item in items:
            if (due := profile.state.due.get(item)) and due.transitions:
                self._told.add(item)

    async def _keep_order(self, saved: _Saved, delivered: Delivered) -> set[str]:
        """See to it that the last event is the greatest version where that is in doubt; where it is.

        The events of this worker come in the order of its saves.
        """
        state, began = saved.profile.state, saved.decided_at
        last = {export.destination.id: export for export in settled(delivered.sent)}
        if not last:
            return set()
        others = state.destinations_called(began - MAY_BE_UNDER_WAY, self._own) if saved.result.altered else set()
        versions = {(each, due.version) for due in saved.announced.values() for each in due.reasons}
        late = not within(self._clock() - began, SENT_IN_TIME)
        unnoticed = [export for each, export in last.items() if late or (each, export.version) not in versions]
        overtaken = await self._settling.if_overtaken(unnoticed) if unnoticed else set()
        doubtful = [export for each, export in last.items() if each in others and each not in overtaken]
        return overtaken | (await self._settling.later(doubtful) if doubtful else set())

    async def _forget_what_was_due(self, profile: StoredProfile, result: Transition) -> None:
        """Forget what was due and is delivered, once so much piled up that the row of a busy profile would grow.

        What the last change called for stays: a backfill need not send it. So does what tells who entered or left, but
        for what this worker has told. Otherwise this needs no request: what is due goes with a later save, a day after.
        Losing a race here is fine. What others called for just now stays: their events may be under way, and whoever
        decides next is to see that.
        """
        due = profile.state.due
        if len(due) <= DUE_KEPT:
            return
        recently = self._clock() - MAY_BE_UNDER_WAY
        delivered = {export.destination.id: export.version for export in result.exports}
        over = [
            item
            for item, entry in due.items()
            if entry.version != profile.state.version
            and (entry.version <= recently or item in self._own)
            and all(delivered.get(destination_id, -1) >= entry.version for destination_id in entry.reasons)
            and (not entry.transitions or item in self._told)
        ]
        if len(over) < LET_GO_AT_ONCE:
            return
        profile.state.let_go(over)
        try:
            await self._profiles.save(profile)
        except RelayError:
            return
        self._recent.saved(profile)


class _Items:
    """Those of `due` that were added last."""

    def __init__(self) -> None:
        self._items: OrderedDict[str, None] = OrderedDict()

    def add(self, item: str) -> None:
        self._items[item] = None
        while len(self._items) > _ITEMS_REMEMBERED:
            self._items.popitem(last=False)

    def __contains__(self, item: object) -> bool:
        return item in self._items


def _why_not_saved(again: Counter[Again]) -> str:
    """What kept a profile from being saved at any attempt, the most frequent reason first."""
    reasons = ", ".join(f"{why} ({times} times)" for why, times in again.most_common())
    return f"a profile was decided on in vain, {reasons}: the message waits for its redelivery"
