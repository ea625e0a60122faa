"""The way to the hubs."""

import asyncio
from typing import Protocol

from shared.domain.exports.export import Export


class ExportSender(Protocol):
    def enqueue(self, export: Export) -> "asyncio.Future[None]":
        """Hand over an export; exports of one profile to one destination are sent in the order handed over.

        The future ends when the hub acknowledged the event, or with SendError.
        """
