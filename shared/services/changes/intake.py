"""How many profiles a worker has in work at once: as many as storage and hubs acknowledge, and no more.

A few large messages hold thousands of profiles. All of them at once would keep the event loop busy for longer than a
hub is waited for, and what a hub acknowledged meanwhile would be stored as undelivered.
"""

import asyncio

PROFILES_AT_ONCE = 64
"""Enough to hide the latency of storage; so few that all of them may decide within one turn of the event loop."""
HUBS_WAITED_FOR = 0.5
"""Seconds for which a profile whose exports are not acknowledged keeps others waiting: a hub may be stalled."""


class Place:
    """Belongs to one profile, from before it is read until its exports are acknowledged."""

    def __init__(self, places: asyncio.Semaphore, patience: float) -> None:
        self._places = places
        self._patience = patience
        self._left = False
        self._timer: asyncio.TimerHandle | None = None

    def leave_soon(self) -> None:
        """Leave it to somebody else after a while, whatever the hubs do."""
        self._timer = asyncio.get_running_loop().call_later(self._patience, self.leave)

    def leave(self) -> None:
        """Leave it, if it was not left already."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._left:
            self._left = True
            self._places.release()


class Intake:
    """`most` places; `patience` in seconds."""

    def __init__(self, most: int = PROFILES_AT_ONCE, patience: float = HUBS_WAITED_FOR) -> None:
        self._places = asyncio.Semaphore(most)
        self._patience = patience

    async def enter(self) -> Place:
        """Wait for a place, in the order of asking."""
        await self._places.acquire()
        return Place(self._places, self._patience)
