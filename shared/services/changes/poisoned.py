"""What is given up: changes go to quarantine, and what was still to be sent is stored as undelivered."""

from dataclasses import dataclass, replace

from shared.concurrency import all_of
from shared.domain.exports.export import export_of
from shared.domain.exports.undelivered import Failure, UndeliveredState
from shared.domain.messages.message import RejectedItem, decode_message
from shared.domain.messages.pointers import RetryPointer
from shared.errors import ConflictError, FailureCode
from shared.ports.profiles import ProfileStore
from shared.ports.quarantine import Quarantine, QuarantinedItem
from shared.ports.time import Clock
from shared.ports.undelivered import StoredUndelivered, UndeliveredStore
from shared.services.changes.export import InboundMessage
from shared.services.configuration.cache import ConfigurationCache
from shared.services.delivery.deliver import Delivery
from shared.services.runs.record import RecordRuns

_GAVE_UP = "the message failed at every delivery: mend the cause that the log names, then replay it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Poisoned:
    """Keeps what nobody will handle any more, so that a person can."""

    profiles: ProfileStore
    configuration: ConfigurationCache
    quarantine: Quarantine
    delivery: Delivery
    undelivered: UndeliveredStore
    runs: RecordRuns
    clock: Clock

    async def unreadable(self, message: InboundMessage, reason: str, code: FailureCode) -> None:
        """Keep the message whole. Raises StorageError."""
        item = QuarantinedItem(message.id, None, message.received_at, reason, message.body, code=code)
        await self.quarantine.put(item)

    async def require_profiles(self, message: InboundMessage) -> None:
        """Raise StorageError where profiles that the message is about cannot be read."""
        decoded = decode_message(message.body, self.clock())
        await all_of(self.profiles.load(each) for each in {change.profile_id for _, change in decoded.changes})

    async def changes(self, message: InboundMessage) -> None:
        """Keep the message in quarantine, each item by itself, so that a profile can be forgotten. Raises StorageError.

        Some of it may have been applied, and its exports be due; the copy on the poison queue has another id, so all
        that is due for its profiles is stored as undelivered. That may send twice, and loses nothing.
        """
        decoded = decode_message(message.body, self.clock())
        for profile_id in {change.profile_id for _, change in decoded.changes}:
            await self._store_what_is_due(profile_id)
        given_up: list[tuple[int, str | None]] = [(index, change.profile_id) for index, change in decoded.changes]
        given_up += [(index, None) for index, _ in (*decoded.audiences, *decoded.resyncs)]
        items = [RejectedItem(each, decoded.source(each), _GAVE_UP, who, FailureCode.GAVE_UP) for each, who in given_up]
        for item in (*items, *decoded.rejected):
            await self.quarantine.put(
                QuarantinedItem(
                    message.id, item.index, message.received_at, item.reason, item.raw, item.profile_id, item.code
                )
            )

    async def _store_what_is_due(self, profile_id: str) -> None:
        targets = (await self.configuration.current()).targets
        profile = await self.profiles.load(profile_id)
        for due in profile.state.due.values():
            for target_id, reasons in due.reasons.items():
                if target := targets.by_id.get(target_id):
                    told = due.transitions.get(target_id, ())
                    export = export_of(profile.state, target, targets.catalog, reasons, self.clock(), told)
                    await self.delivery.store(
                        export, Failure("its message failed at every delivery", FailureCode.GAVE_UP)
                    )

    async def pointer(self, pointer: RetryPointer) -> None:
        """Mark the row dead that the pointer could not bring further. Raises StorageError.

        One that settles has none: what it was for is to be made up for by the profile's next export.
        """
        if pointer.settles:
            return
        stored = await self.undelivered.load(pointer.destination_id, pointer.profile_key)
        if stored is None or stored.row.state != UndeliveredState.RETRYING:
            return
        row = replace(
            stored.row,
            state=UndeliveredState.DEAD,
            last_error="its retry failed at every delivery",
            code=FailureCode.GAVE_UP,
        )
        try:
            await self.undelivered.save(StoredUndelivered(row, stored.etag))
        except ConflictError:
            return  # a newer export failed meanwhile; watch_destinations finds the row overdue
        self.runs.dead(row.destination_id)
