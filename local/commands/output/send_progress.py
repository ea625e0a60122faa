"""How far `send` has come: a bar on a terminal, a line now and then elsewhere."""

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from local.terminal import console, printable

_LINE_INTERVAL = 2.0


class SendProgress(Protocol):
    def read(self, byte_count: int) -> None: ...

    def sent(self, changes: int, messages: int) -> None: ...

    def problem(self, text: str) -> None: ...


@contextmanager
def progress_for(descriptor: int) -> Iterator[SendProgress]:
    """Of sending what `descriptor` holds. All of it goes to standard error: the summary alone is output."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    details = os.fstat(descriptor)
    size = details.st_size if stat.S_ISREG(details.st_mode) else None
    columns = (TextColumn("sending"), BarColumn(), TextColumn("{task.fields[counted]}"), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        yield _Bar(bar, bar.add_task("send", total=size, counted=""))


class _Bar:
    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def read(self, byte_count: int) -> None:
        self._bar.advance(self._task, byte_count)

    def sent(self, changes: int, messages: int) -> None:
        self._bar.update(self._task, counted=f"{changes:,} changes in {messages:,} messages")

    def problem(self, text: str) -> None:
        self._bar.console.print(printable(text), markup=False)


class _Lines:
    def __init__(self) -> None:
        self._last = time.monotonic()

    def read(self, byte_count: int) -> None:
        """A line says nothing of the bytes."""

    def sent(self, changes: int, messages: int) -> None:
        if time.monotonic() - self._last >= _LINE_INTERVAL:
            self._last = time.monotonic()
            print(f"sent {changes:,} changes in {messages:,} messages so far", file=sys.stderr, flush=True)

    def problem(self, text: str) -> None:
        print(printable(text), file=sys.stderr, flush=True)
