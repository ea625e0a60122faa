"""Work side by side, none of it left behind: whoever waits for several hears of a failure once all of them have ended.

`asyncio.gather` raises the first failure at once and lets the others go on, with nobody to wait for them: they overlap
what is tried next, and what they raise is lost.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar, cast

T = TypeVar("T")
U = TypeVar("U")


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
