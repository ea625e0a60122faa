"""The life of a worker process, and what it is at work on: when the one ends, so does the other."""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

SENDS = "sends"


@dataclass(frozen=True)
class Invocation:
    """What a worker does something for: a delivery of a message, or a run of a timer."""

    function: str
    message_id: str = ""
    delivery: int = 0

    def __str__(self) -> str:
        return f"{self.function} {self.message_id}#{self.delivery}" if self.message_id else self.function


_BACKGROUND = Invocation("background")
_DIES_WITHIN = 0.005
"""Seconds after its last step: some requests are made by then, some not, and few are answered."""
AT_WORK: ContextVar[Invocation | None] = ContextVar("AT_WORK", default=None)
"""Of the task that runs; None in the background."""


def at_work() -> Invocation:
    return AT_WORK.get() or _BACKGROUND


class Life:
    """`ended_at` in the loop's time, None while it lasts; `ended` once it does not.

    `steps_left`: after so many requests and sends it ends, if that is decided; `during`: only those of this function
    count, or only sends.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.ended_at: float | None = None
        self.ended = asyncio.Event()
        self.steps_left: int | None = None
        self.during = ""
        self._tasks: dict[asyncio.Task[Any], None] = {}

    @property
    def over(self) -> bool:
        return self.ended_at is not None

    def require(self) -> None:
        """Whoever is dead does nothing any more."""
        if self.over:
            raise asyncio.CancelledError

    def step(self, *, sends: bool = False) -> None:
        """The worker is about to ask for something, whose answer it may not live to hear."""
        self.require()
        if self.steps_left is not None and self._counts(sends):
            self.steps_left -= 1
            if self.steps_left == 0:
                asyncio.get_running_loop().call_later(_DIES_WITHIN, self.end)

    def begin(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    def _counts(self, sends: bool) -> bool:
        return self.during == "" or self.during == (SENDS if sends else at_work().function)

    def end(self) -> None:
        if self.over:
            return
        self.ended_at = asyncio.get_running_loop().time()
        self.ended.set()
        for task in list(self._tasks):
            task.cancel()
