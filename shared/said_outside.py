"""What is said outside an invocation: while modules load, on own threads, by callbacks after a function has returned.

None of it leaves the machine: the host takes a worker's lines by the invocation that they belong to. So warnings are
kept, and the next invocation says them.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LOGGERS = ("shared", "asyncio", "opentelemetry", "azure.monitor")
"""Who says there what a person needs to know; `asyncio` says of tasks that failed and nobody waited for."""
MOST_KEPT = 20
_OTHERS = "and others"


class _Invocation:
    """Whoever was started by it keeps it, also when it has ended."""

    ended = False


_CURRENT: ContextVar[_Invocation | None] = ContextVar("invocation", default=None)


class SaidOutside(logging.Handler):
    """Keeps warnings, and worse, until they are taken: each once, with how often it was said."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        invocation = _CURRENT.get()
        if invocation is not None and not invocation.ended:
            return
        line = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            line = f"{line}: {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        self._lines[line if line in self._lines or len(self._lines) < MOST_KEPT else _OTHERS] += 1

    def take(self) -> list[tuple[str, int]]:
        """What is kept, and how often it was said; it is kept no longer."""
        if not self._lines:
            return []
        self.acquire()
        try:
            lines, self._lines = self._lines, Counter()
        finally:
            self.release()
        return list(lines.items())


said_outside = SaidOutside()


def keep_what_is_said_outside() -> None:
    for name in LOGGERS:
        logging.getLogger(name).addHandler(said_outside)


@contextmanager
def invocation() -> Iterator[None]:
    """What is said within belongs to an invocation, and what is said later by what was started there does not."""
    current = _Invocation()
    token = _CURRENT.set(current)
    try:
        yield
    finally:
        current.ended = True
        _CURRENT.reset(token)
