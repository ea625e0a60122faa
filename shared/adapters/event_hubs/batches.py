"""Exports on their way, as events, in batches as full as they go."""

import asyncio
from collections import deque
from dataclasses import dataclass

from azure.eventhub import EventDataBatch

from shared.adapters.event_hubs.amqp_events import adder
from shared.domain.exports.export import Export
from shared.errors import ExportTooLargeError, SendError
from shared.ports.exports import Acknowledgement


@dataclass(slots=True, eq=False)
class Waiting:
    """An export that somebody waits for since `since`; `throttled` once the hub has refused to take it yet.

    `more_follow`: see ExportSender.
    """

    export: Export
    acknowledged: "asyncio.Future[Acknowledgement]"
    since: float
    more_follow: bool = False
    throttled: bool = False

    def fail(self, error: SendError) -> None:
        if not self.acknowledged.done():
            self.acknowledged.set_exception(error)

    def taken(self, partition: str) -> None:
        if not self.acknowledged.done():
            self.acknowledged.set_result(Acknowledgement(partition, self.throttled))


def fill(batch: EventDataBatch, waiting: deque[Waiting], taken: list[Waiting], most: int, partition: str) -> None:
    """Move up to `most` events from `waiting` to `batch` until it is full; one too large for an empty batch fails."""
    add = adder()
    while waiting and len(taken) < most:
        first = waiting[0]
        try:
            add(batch, first.export)
        except ValueError as error:
            if taken and "size limit" in str(error):
                return
            waiting.popleft().fail(_not_addable(first.export, batch, error, partition))
        else:
            taken.append(waiting.popleft())


def _not_addable(export: Export, batch: EventDataBatch, error: ValueError, partition: str) -> SendError:
    if "size limit" not in str(error):
        return SendError(export.destination.id, f"the event cannot be encoded: {error}", partition=partition)
    size, limit = len(export.body), batch.max_size_in_bytes
    reason = f"an event with a body of {size:,} bytes does not fit the hub's limit of {limit:,}"
    return ExportTooLargeError(export.destination.id, reason, partition)
