"""The clock and the waiting, injected so that tests decide about both."""

from collections.abc import Awaitable
from typing import Protocol


class Clock(Protocol):
    """The time in microseconds since the epoch."""

    def __call__(self) -> int: ...


class Sleep(Protocol):
    """Wait for a number of seconds."""

    def __call__(self, seconds: float, /) -> Awaitable[None]: ...
