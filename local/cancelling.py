"""Ending tasks that wait for the SDK of Event Hubs."""

import asyncio

_HEEDED_WITHIN = 5.0
"""In seconds; the SDK takes up to three to close what it reads."""


async def end(*tasks: "asyncio.Task[None]", heeded_within: float = _HEEDED_WITHIN) -> None:
    """Cancel `tasks` until all have ended, whatever of.

    Once is not enough: `asyncio.wait_for` of Python 3.11, which the SDK waits by, drops a cancellation that comes in
    the same turn of the loop as what was waited for.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=heeded_within)
    await asyncio.gather(*tasks, return_exceptions=True)
