"""What a worker process does when it is told to stop, which would end it on the spot."""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

SECONDS = 3.0


def before_the_end(last: Callable[[], Awaitable[None]]) -> None:
    """Have a SIGTERM run `last` first, for so many seconds at most; whatever comes of that, the process then ends.

    Not where something else handles the signal already, nor beside the main thread, which alone may handle it.
    """
    on_main_thread = threading.current_thread() is threading.main_thread()
    if not on_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return
    loop = asyncio.get_running_loop()
    ending: list[asyncio.Task[None]] = []

    async def end() -> None:
        try:
            with suppress(Exception):
                async with asyncio.timeout(SECONDS):
                    await last()
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    def begin() -> None:
        if not ending:
            ending.append(loop.create_task(end()))

    loop.add_signal_handler(signal.SIGTERM, begin)
