"""The life of a worker process, and what it is at work on: when the one ends, so does the other."""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Invocation:
    """What a worker does something for: a delivery of a message, or a run of a timer."""

    function: str
    message_id: str = ""
    delivery: int = 0

    def __str__(self) -> str:
        return f"{self.function} {self.message_id}#{self.delivery}" if self.message_id else self.function


AT_WORK: ContextVar[Invocation] = ContextVar("AT_WORK", default=Invocation("background"))


class Life:
    """`ended_at` in the loop's time, None while it lasts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ended_at: float | None = None
        self._tasks: dict[asyncio.Task[Any], None] = {}

    @property
    def over(self) -> bool:
        return self.ended_at is not None

    def require(self) -> None:
        """Whoever is dead asks for nothing any more."""
        if self.over:
            raise asyncio.CancelledError

    def begin(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    def end(self) -> None:
        self.ended_at = asyncio.get_running_loop().time()
        for task in list(self._tasks):
            task.cancel()
