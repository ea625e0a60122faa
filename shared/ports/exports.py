"""The way to the hubs."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The hub has the event, in the partition with the id `partition`.

    `throttled`: it took it only after it had asked for patience.
    """

    partition: str
    throttled: bool = False


class ExportSender(Protocol):
    def enqueue(self, export: Export, *, more_follow: bool = False) -> "asyncio.Future[Acknowledgement]":
        """Hand over an export; exports of one profile to one destination are sent in the order handed over.

        The future ends when the hub acknowledged the event, or with SendError. `more_follow`: others are about to be
        handed over, and `flush` is called once they are; it may wait for them for a moment, to be sent together.
        """

    def flush(self) -> None:
        """Nothing more follows soon: what was handed over waits for nothing else any more."""

    def partitions(self, destination: Destination) -> tuple[str, ...]:
        """The ids of the partitions of the destination's hub, empty where they are not known yet.

        The exports of a profile go to the one at `partition_of(profile_id, how many there are)`.
        """
