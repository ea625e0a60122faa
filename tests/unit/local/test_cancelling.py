"""What waits for the SDK may miss a cancellation, and ends all the same."""

import asyncio
import contextlib

from local.cancelling import end


async def deaf_once() -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(3600)
    await asyncio.sleep(3600)


async def raises() -> None:
    raise ValueError


async def test_who_misses_a_cancellation_gets_another() -> None:
    deaf, failed = asyncio.create_task(deaf_once()), asyncio.create_task(raises())
    await asyncio.sleep(0)
    await end(deaf, failed, heeded_within=0.001)
    assert deaf.cancelled()
    assert isinstance(failed.exception(), ValueError)


async def test_there_may_be_nothing_to_end() -> None:
    await end()
