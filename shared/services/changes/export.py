"""One queue message of profile changes: remembered, decided on, exported; the message is the outbox until then.

Audience items among them go into the catalog first, so that the exports of the same message show them.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from shared.domain.exports.transition import Transition, transition
from shared.domain.messages.message import DecodedMessage, RejectedItem, decode_message
from shared.domain.messages.resync_item import MessageResync
from shared.domain.profile.change import ProfileChange
from shared.domain.profile.deletion import DeletionPhase
from shared.domain.runs import QUARANTINED
from shared.errors import (
    ConfigurationError,
    FailureCode,
    NotConfiguredError,
    ProfileTooLargeError,
    ResyncRefusedError,
)
from shared.ports.quarantine import Quarantine, QuarantinedItem
from shared.ports.time import Clock
from shared.ports.tracing import Origin, Tracing
from shared.services.changes.profile_writer import ProfileWriter
from shared.services.configuration.catalog import WriteCatalog
from shared.services.delivery.deliver import Delivered
from shared.services.delivery.forget_profiles import ForgetProfiles
from shared.services.in_hand.live_traffic import LiveTraffic
from shared.services.runs.record import RecordRuns

IndexedChange: TypeAlias = tuple[int, ProfileChange]
Counts: TypeAlias = Counter[tuple[str | None, str]]
RequestResync: TypeAlias = Callable[[MessageResync, str], Awaitable[bool]]
"""Asks for a resync under an idempotency key; whether there was none of this key yet."""


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A queue message; `received_at` is when it was put on the queue, in microseconds."""

    id: str
    body: bytes
    received_at: int


@dataclass(slots=True)
class Outcome:
    """What came of one message.

    `audiences` and `resyncs` count items by what came of them, `exported` and `skipped` changes by (destination id or
    None, reason), `undelivered` exports by (destination id, row state).
    """

    changes: int = 0
    quarantined: int = 0
    audiences: Counter[str] = field(default_factory=Counter)
    resyncs: Counter[str] = field(default_factory=Counter)
    exported: Counts = field(default_factory=Counter)
    skipped: Counts = field(default_factory=Counter)
    undelivered: Counts = field(default_factory=Counter)

    def summary(self) -> dict[str, Any]:
        """The counts as plain JSON, for the log: nothing of any profile is in it."""
        return {
            "changes": self.changes,
            "quarantined": self.quarantined,
            **({"audiences": dict(self.audiences)} if self.audiences else {}),
            **({"resyncs": dict(self.resyncs)} if self.resyncs else {}),
            "exported": _by_destination(self.exported),
            "skipped": _by_destination(self.skipped),
            "undelivered": _by_destination(self.undelivered),
        }

    def add(self, result: Transition, delivered: Delivered) -> None:
        self.exported.update((export.destination.id, ",".join(export.reasons)) for export in delivered.sent)
        self.skipped.update(result.skipped)
        self.undelivered.update((export.destination.id, state) for export, state in delivered.undelivered)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportChanges:
    """decode → load → apply and decide → save (with what is due) → send → acknowledged, or stored as undelivered."""

    writer: ProfileWriter
    forget: ForgetProfiles
    catalog: WriteCatalog
    request_resync: RequestResync
    quarantine: Quarantine
    traffic: LiveTraffic
    runs: RecordRuns
    tracing: Tracing
    clock: Clock

    async def handle(self, message: InboundMessage) -> Outcome:
        """Return once every export is acknowledged or stored as undelivered, and every bad item is in quarantine.

        Raises the first RelayError where storage fails, after the neighbours of what failed went their way: the queue
        delivers the message again and nothing is lost, though some of it may be sent twice.
        """
        decoded = decode_message(message.body, self.clock())
        with self.traffic.passing(), self.tracing.message(message.id, decoded.traceparent) as traceparent:
            origin = Origin(message.received_at, traceparent)
            return await self._handle(_Handling(message, decoded, origin, Outcome(changes=len(decoded.changes))))

    async def _handle(self, handling: "_Handling") -> Outcome:
        decoded = handling.decoded
        by_profile: dict[str, list[IndexedChange]] = {}
        for index, change in decoded.changes:
            by_profile.setdefault(change.profile_id, []).append((index, change))
        work = [
            self._handle_profile(handling, profile_id, sorted(changes, key=_time))
            for profile_id, changes in by_profile.items()
        ]
        work += [self._put_in_quarantine(handling, item) for item in decoded.rejected]
        results: list[BaseException | None] = []
        if decoded.audiences:
            results += await asyncio.gather(self._write_audiences(handling), return_exceptions=True)
        results += await asyncio.gather(*work, return_exceptions=True)
        for index, asked in decoded.resyncs:  # one after the other: two of a message must not refuse each other
            results += await asyncio.gather(self._resync(handling, index, asked), return_exceptions=True)
        self._count(handling)
        _raise_first(results)
        return handling.outcome

    def _count(self, handling: "_Handling") -> None:
        runs, outcome = self.runs, handling.outcome
        runs.received(None, len(handling.decoded.changes) + len(handling.decoded.rejected))
        if outcome.quarantined:
            runs.excluded(None, QUARANTINED, outcome.quarantined)
        for (destination_id, why), count in outcome.skipped.items():
            runs.excluded(destination_id, why, count)
            if destination_id is not None:
                runs.received(destination_id, count)
        for counts in (outcome.exported, outcome.undelivered):
            for (destination_id, _), count in counts.items():
                runs.received(destination_id, count)

    async def _write_audiences(self, handling: "_Handling") -> None:
        counts = handling.outcome.audiences
        for changes in await self.catalog.write(handling.decoded.audiences):
            counts.update(saved=len(changes.entries), stale=changes.stale, unchanged=changes.unchanged)
            for index, reason in changes.refused:
                raw = handling.decoded.source(index)
                refused = RejectedItem(index, raw, f"item {index}: {reason}", code=FailureCode.INVALID_AUDIENCE)
                await self._put_in_quarantine(handling, refused)
        handling.outcome.audiences = +counts

    async def _resync(self, handling: "_Handling", index: int, asked: MessageResync) -> None:
        """The message that comes again asks for the same one."""
        try:
            created = await self.request_resync(asked, f"{handling.message.id}:{index}")
        except (ConfigurationError, NotConfiguredError, ResyncRefusedError) as error:
            raw, reason = handling.decoded.source(index), f"item {index}: {error}"
            await self._put_in_quarantine(handling, RejectedItem(index, raw, reason, code=FailureCode.INVALID_RESYNC))
        else:
            handling.outcome.resyncs["requested" if created else "known"] += 1

    async def _handle_profile(self, handling: "_Handling", profile_id: str, changes: Sequence[IndexedChange]) -> None:
        message_id = handling.message.id
        try:
            written = await self.writer.write(
                profile_id,
                lambda state, targets, now: transition(state, changes, message_id, targets, now),
                handling.origin,
            )
        except ProfileTooLargeError as error:
            await self._refuse_what_is_too_large(handling, profile_id, changes, error)
            return
        handling.outcome.add(written.result, written.delivered)
        deletion = written.profile.state.deletion
        if deletion is not None and deletion.phase != DeletionPhase.DONE:
            await self.forget.proceed(written.profile.key, written.acknowledged)

    async def _refuse_what_is_too_large(
        self, handling: "_Handling", profile_id: str, changes: Sequence[IndexedChange], error: ProfileTooLargeError
    ) -> None:
        """One of `changes` makes the profile too large: each of several is tried alone, a single one is refused."""
        if len(changes) > 1:
            for change in changes:
                await self._handle_profile(handling, profile_id, [change])
            return
        index = changes[0][0]
        raw, reason = handling.decoded.source(index), f"item {index}: {error}"
        refused = RejectedItem(index, raw, reason, profile_id, FailureCode.PROFILE_TOO_LARGE)
        await self._put_in_quarantine(handling, refused)

    async def _put_in_quarantine(self, handling: "_Handling", item: RejectedItem) -> None:
        message = handling.message
        quarantined = QuarantinedItem(
            message.id, item.index, message.received_at, item.reason, item.raw, item.profile_id, item.code
        )
        await self.quarantine.put(quarantined)
        handling.outcome.quarantined += 1


@dataclass(frozen=True, slots=True)
class _Handling:
    """One message on its way."""

    message: InboundMessage
    decoded: DecodedMessage
    origin: Origin
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
