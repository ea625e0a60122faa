"""One queue message of profile changes: remembered, decided on, exported; the message is the outbox until then."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from shared.domain.change import ProfileChange
from shared.domain.export import Export
from shared.domain.message import DecodedMessage, decode_message
from shared.domain.transition import Transition, transition
from shared.errors import ConflictError, ProfileTooLargeError, RelayError, StorageError
from shared.services.configuration_cache import ConfigurationCache, ConfigurationSnapshot
from shared.services.delivery import Delivered, Delivery
from shared.services.ports import Clock, ProfileStore, Quarantine, QuarantinedItem, Sleep, StoredProfile

SAVE_ATTEMPTS = 10
STORAGE_ATTEMPTS = 3
DUE_KEPT_UNSETTLED = 32
_BACKOFF_SECONDS = 0.02


IndexedChange: TypeAlias = tuple[int, ProfileChange]
Counts: TypeAlias = Counter[tuple[str | None, str]]


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A queue message; `received_at` is when it was put on the queue, in microseconds."""

    id: str
    body: bytes
    received_at: int


@dataclass(slots=True)
class Outcome:
    """What came of one message.

    `exported` and `skipped` count by (destination id or None, reason), `undelivered` by (destination id, row state).
    """

    changes: int = 0
    quarantined: int = 0
    exported: Counts = field(default_factory=Counter)
    skipped: Counts = field(default_factory=Counter)
    undelivered: Counts = field(default_factory=Counter)

    def summary(self) -> dict[str, Any]:
        """The counts as plain JSON, for the log: nothing of any profile is in it."""
        return {
            "changes": self.changes,
            "quarantined": self.quarantined,
            "exported": _by_destination(self.exported),
            "skipped": _by_destination(self.skipped),
            "undelivered": _by_destination(self.undelivered),
        }

    def add(self, result: Transition, delivered: Delivered) -> None:
        self.exported.update((export.destination.id, ",".join(export.reasons)) for export in delivered.sent)
        self.skipped.update(result.skipped)
        self.undelivered.update((export.destination.id, state) for export, state in delivered.undelivered)


class ExportChanges:
    """decode → load → apply and decide → save (with what is due) → send → acknowledged, or stored as undelivered."""

    def __init__(
        self,
        *,
        profiles: ProfileStore,
        configuration: ConfigurationCache,
        delivery: Delivery,
        quarantine: Quarantine,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._profiles = profiles
        self._configuration = configuration
        self._delivery = delivery
        self._quarantine = quarantine
        self._clock = clock
        self._sleep = sleep
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def handle(self, message: InboundMessage) -> Outcome:
        """Return once every export is acknowledged or stored as undelivered, and every bad item is in quarantine.

        Raises the first RelayError where storage fails, after the neighbours of what failed went their way: the queue
        delivers the message again and nothing is lost, though some of it may be sent twice.
        """
        decoded = decode_message(message.body, self._clock())
        handling = _Handling(message, decoded, Outcome(changes=len(decoded.changes)))
        by_profile: dict[str, list[IndexedChange]] = {}
        for index, change in decoded.changes:
            by_profile.setdefault(change.profile_id, []).append((index, change))
        work = [
            self._handle_profile(handling, profile_id, sorted(changes, key=_time))
            for profile_id, changes in by_profile.items()
        ]
        work += [
            self._put_in_quarantine(handling, item.index, item.raw, item.reason, item.profile_id)
            for item in decoded.rejected
        ]
        _raise_first(await asyncio.gather(*work, return_exceptions=True))
        return handling.outcome

    async def _handle_profile(self, handling: "_Handling", profile_id: str, changes: Sequence[IndexedChange]) -> None:
        too_large: ProfileTooLargeError | None = None
        # The lock spares messages of this worker losing to each other; between workers the ETag decides.
        async with self._locks.setdefault(profile_id, asyncio.Lock()):
            try:
                profile, result, configuration = await self._apply_and_save(handling.message, profile_id, changes)
            except ProfileTooLargeError as error:
                too_large = error
            else:
                begun = self._delivery.begin(result.exports, configuration)
        if too_large is not None:
            await self._refuse_what_is_too_large(handling, profile_id, changes, too_large)
            return
        delivered = await self._delivery.finish(begun)
        handling.outcome.add(result, delivered)
        await self._settle(profile, result.exports)

    async def _refuse_what_is_too_large(
        self, handling: "_Handling", profile_id: str, changes: Sequence[IndexedChange], error: ProfileTooLargeError
    ) -> None:
        """One of `changes` makes the profile too large: each of several is tried alone, a single one is refused."""
        if len(changes) > 1:
            for change in changes:
                await self._handle_profile(handling, profile_id, [change])
            return
        index = changes[0][0]
        raw = handling.decoded.source(index)
        await self._put_in_quarantine(handling, index, raw, f"item {index}: {error}", profile_id)

    async def _apply_and_save(
        self, message: InboundMessage, profile_id: str, changes: Sequence[IndexedChange]
    ) -> tuple[StoredProfile, Transition, ConfigurationSnapshot]:
        """Decide and save until nobody else saved in between; nothing was sent yet when the save says so.

        After a save of which nothing is known, reading again tells: what was saved is due for this message by then.
        """
        storage_failures = 0
        for attempt in range(SAVE_ATTEMPTS):
            if attempt:
                await self._sleep(_BACKOFF_SECONDS * attempt)
            profile = await self._profiles.load(profile_id)
            configuration = await self._configuration.current()
            now = self._clock()
            result = transition(profile.state, changes, message.id, configuration.targets, now)
            if not result.altered:
                return profile, result, configuration
            profile.state.forget_outdated(now)
            if not self._configuration.is_fresh(configuration):
                continue
            try:
                await self._profiles.save(profile)
            except ConflictError:
                continue
            except StorageError:
                storage_failures += 1
                if storage_failures == STORAGE_ATTEMPTS:
                    raise
                continue
            return profile, result, configuration
        raise ConflictError(
            f"a profile was saved by others {SAVE_ATTEMPTS} times in a row: the message waits for its redelivery"
        )

    async def _settle(self, profile: StoredProfile, exports: Sequence[Export]) -> None:
        """Forget what was due and is delivered, once so much piled up that the row of a busy profile would grow.

        Otherwise this needs no request: what is due goes with a later save, a day after. Losing a race here is fine.
        """
        due = profile.state.due
        if len(due) <= DUE_KEPT_UNSETTLED:
            return
        delivered = {export.destination.id: export.version for export in exports}
        unsettled = {
            item: entry
            for item, entry in due.items()
            if any(delivered.get(destination_id, -1) < entry.version for destination_id in entry.reasons)
        }
        if len(unsettled) == len(due):
            return
        profile.state.due = unsettled
        try:
            await self._profiles.save(profile)
        except RelayError:
            return

    async def _put_in_quarantine(
        self, handling: "_Handling", index: int | None, raw: bytes, reason: str, profile_id: str | None
    ) -> None:
        message = handling.message
        await self._quarantine.put(QuarantinedItem(message.id, index, message.received_at, reason, raw, profile_id))
        handling.outcome.quarantined += 1


@dataclass(frozen=True, slots=True)
class _Handling:
    """One message on its way."""

    message: InboundMessage
    decoded: DecodedMessage
    outcome: Outcome


def _by_destination(counts: Counts) -> dict[str, dict[str, int]]:
    by_destination: dict[str, dict[str, int]] = {}
    for (destination_id, what), count in counts.items():
        by_destination.setdefault(destination_id or "*", {})[what] = count
    return by_destination


def _time(indexed: IndexedChange) -> int:
    return indexed[1].occurred_at


def _raise_first(results: Sequence[BaseException | None]) -> None:
    for result in results:
        if result is not None:
            raise result
