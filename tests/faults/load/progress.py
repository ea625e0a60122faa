"""How far the sending has come: for those who break things at certain points of it, and may hold it up there."""

import asyncio
import math
from collections.abc import Callable


class Progress:
    """`share` of the load is sent, from 0 to 1."""

    def __init__(self) -> None:
        self.share = 0.0
        self._holds: dict[str, float] = {}
        self._moved = asyncio.Event()

    async def advance(self, share: float) -> None:
        """Say that `share` is sent; returns when more may be."""
        self.share = share
        self._wake()
        await self._until(lambda: self.share <= min(self._holds.values(), default=math.inf))

    async def reached(self, share: float) -> None:
        await self._until(lambda: self.share >= share)

    def hold(self, name: str, share: float) -> None:
        """Let no more than `share` be sent, so that work is left for after the next fault; `name` holds no other."""
        self._holds[name] = share
        self._wake()

    def release(self, name: str) -> None:
        del self._holds[name]
        self._wake()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._moved.wait()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
