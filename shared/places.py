"""Places for what may be in work at once: whoever comes when all are taken waits for one, in the order of coming."""

import asyncio


class Place:
    """Belongs to one piece of work, from its begin to its end, or to when others are not to wait for it any more."""

    def __init__(self, places: asyncio.Semaphore, patience: float) -> None:
        self._places = places
        self._patience = patience
        self._left = False
        self._timer: asyncio.TimerHandle | None = None

    def leave_soon(self) -> None:
        """Leave it to somebody else after a while, whatever becomes of the work."""
        self._timer = asyncio.get_running_loop().call_later(self._patience, self.leave)

    def leave(self) -> None:
        """Leave it, if it was not left already."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._left:
            self._left = True
            self._places.release()


class Places:
    """`most` of them. `patience`: the seconds for which work that hangs on somebody else keeps others waiting."""

    def __init__(self, most: int, patience: float) -> None:
        self._places = asyncio.Semaphore(most)
        self._patience = patience

    async def enter(self) -> Place:
        """Wait for a place."""
        await self._places.acquire()
        return Place(self._places, self._patience)
