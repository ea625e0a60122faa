"""Storage requests tried again as the .NET storage client does it, with which the real host is written."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .requests import StorageRequestError

T = TypeVar("T")
Uniform = Callable[[float, float], float]
"""A random number between two."""

_TRIES = 6
_FIRST_WAIT = 0.8
_WORTH_ANOTHER_TRY = (None, 408, 429, 500, 502, 503, 504)


async def retried(request: Callable[[], Awaitable[T]], uniform: Uniform = random.uniform) -> T:
    """The answer to a request, tried up to six times within about 25 s; what no retry mends is raised at once."""
    for attempt in range(_TRIES - 1):
        try:
            return await request()
        except StorageRequestError as error:
            if error.status not in _WORTH_ANOTHER_TRY:
                raise
        await asyncio.sleep(_FIRST_WAIT * 2.0**attempt * uniform(0.8, 1.2))
    return await request()
