"""Work side by side, none of it left behind: whoever waits for several hears of a failure once all of them have ended.

`asyncio.gather` raises the first failure at once and lets the others go on, with nobody to wait for them: they overlap
what is tried next, and what they raise is lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar, cast

T = TypeVar("T")
U = TypeVar("U")
_STEPS = 25


async def all_of(work: Iterable[Awaitable[T]]) -> list[T]:
    """Run all of it side by side to its end; the results in the order given. Raises the first failure in that order.

    Whoever is cancelled meanwhile cancels all of it, and waits for that, too.
    """
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return cast("list[T]", results)


async def both(one: Awaitable[T], other: Awaitable[U]) -> tuple[T, U]:
    """The same for two that differ."""
    results = await all_of(cast("list[Awaitable[T | U]]", [one, other]))
    return cast("tuple[T, U]", tuple(results))


class ListeningTimer:
    """Calls `done` once the event loop has listened for `seconds`, which others may have answered within.

    A loop that is busy hears nobody, and must not take its own silence for that of others. So the time passes in steps,
    and each counts once, however late the loop comes to it: within 25 turns at least whoever answers is heard.
    """

    def __init__(self, seconds: float, done: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._step = seconds / _STEPS
        self._left = _STEPS
        self._done = done
        self._handle = self._loop.call_later(self._step, self._passed)

    def _passed(self) -> None:
        self._left -= 1
        if self._left:
            self._handle = self._loop.call_later(self._step, self._passed)
        else:
            self._done()

    def cancel(self) -> None:
        """Never call, if that has not happened."""
        self._handle.cancel()


async def ends_within(seconds: float, task: "asyncio.Future[T]") -> bool:
    """Whether `task` ends, in whatever way, before the event loop has listened for `seconds`; it goes on if not."""
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    both_ends: set[asyncio.Future[Any]] = {task, over}
    timer = ListeningTimer(seconds, lambda: over.set_result(None))
    try:
        await asyncio.wait(both_ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
    return task.done()
