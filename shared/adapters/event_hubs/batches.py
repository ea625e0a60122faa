"""Exports on their way, as events, in batches as full as they go."""

import asyncio
from collections import deque
from dataclasses import dataclass

from azure.eventhub import EventData, EventDataBatch

from shared.domain.exports.export import Export
from shared.errors import ExportTooLargeError, SendError
from shared.ports.exports import Acknowledgement


@dataclass(slots=True, eq=False)
class Waiting:
    """An export that somebody waits for since `since`; `throttled` once the hub has refused to take it yet."""

    export: Export
    acknowledged: "asyncio.Future[Acknowledgement]"
    since: float
    throttled: bool = False

    def fail(self, error: SendError) -> None:
        if not self.acknowledged.done():
            self.acknowledged.set_exception(error)

    def taken(self, partition: str) -> None:
        if not self.acknowledged.done():
            self.acknowledged.set_result(Acknowledgement(partition, self.throttled))


def fill(batch: EventDataBatch, waiting: deque[Waiting], taken: list[Waiting], most: int, partition: str) -> None:
    """Move up to `most` events from `waiting` to `batch` until it is full; one too large for an empty batch fails."""
    while waiting and len(taken) < most:
        first = waiting[0]
        try:
            batch.add(event_of(first.export))
        except ValueError as error:
            if taken and "size limit" in str(error):
                return
            waiting.popleft().fail(_not_addable(first.export, batch, error, partition))
        else:
            taken.append(waiting.popleft())


def event_of(export: Export) -> EventData:
    """The names of properties are bytes: by those the SDK's tracing looks whether an event has a trace of its own."""
    event = EventData(export.body)
    event.content_type = "application/json"
    event.message_id = export.message_id
    event.properties = {
        name.encode(): _amqp_long(value) if isinstance(value, int) else value
        for name, value in export.application_properties.items()
    }
    return event


def _not_addable(export: Export, batch: EventDataBatch, error: ValueError, partition: str) -> SendError:
    if "size limit" not in str(error):
        return SendError(export.destination.id, f"the event cannot be encoded: {error}", partition=partition)
    size, limit = len(export.body), batch.max_size_in_bytes
    reason = f"an event with a body of {size:,} bytes does not fit the hub's limit of {limit:,}"
    return ExportTooLargeError(export.destination.id, reason, partition)


def _amqp_long(value: int) -> dict[str, str | int]:
    """An AMQP long (64 bits): the SDK would encode a bare integer in 32 bits, or fail where it does not fit."""
    return {"TYPE": "LONG", "VALUE": value}
