"""The exports that have come back from the hubs, each shown as it arrives."""

import asyncio
import time

from rich.console import Console

from local.commands.tail import readable_line
from local.exports import Export, ExportReader


class Arrived:
    """`exports` holds each once, as a consumer would: a hub that was slow to acknowledge may have one twice.

    `first` is set once the first export is there: the app has started by then, and so have its connections.
    `everything`: show all exports, not only the first few of each series.
    """

    def __init__(self, reader: ExportReader, out: Console, *, everything: bool) -> None:
        self.exports: list[Export] = []
        self.first = asyncio.Event()
        self._ids: set[str | None] = set()
        self._reader = reader
        self._out = out
        self._everything = everything

    async def read_for(self, seconds: float, since: int, shown: int) -> None:
        """Take what arrives until there is a pause, or until `seconds` are over; show the first `shown` from the
        export number `since` on.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                export = await asyncio.wait_for(anext(self._reader), left)
            except TimeoutError:
                return
            if export.message_id in self._ids:
                continue
            self._ids.add(export.message_id)
            self.exports.append(export)
            self.first.set()
            if self._everything or len(self.exports) - since <= shown:
                self._out.print(readable_line(export))

    def tell_rest(self, since: int, shown: int) -> None:
        """Say how many exports were not shown."""
        more = len(self.exports) - since - shown
        if not self._everything and more > 0:
            self._out.print(f"[dim]… {more:,} more (--all)[/dim]")
