"""Hours of waiting in no time: an event loop whose clock jumps to the next timer instead of sleeping until then."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Never blocks: with nothing to do now, time passes at once. There are no sockets to look at."""

    elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every task waits for something that never comes")
        if timeout > 0:
            self.elapsed += timeout
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For code that waits by the loop's own timers, without threads and sockets."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.elapsed

    def keep_busy(self, seconds: float) -> None:
        """Let time pass during which the loop comes to nothing else."""
        self._jumping.elapsed += seconds


def run_virtually(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What `main` returns; the loop's time begins at 0. What still runs then is cancelled."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main())
