"""Reads lines as they come, from a file or from a pipe that pauses."""

import asyncio
import os
import select
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from local.errors import LocalError

_PAUSE = 0.2


@contextmanager
def opened(file: str) -> Iterator[int]:
    """The descriptor of `file`, or of standard input for `-`. Raises LocalError."""
    if file == "-":
        yield sys.stdin.fileno()
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115 - closed below; only the opening may fail here
    except OSError as error:
        raise LocalError(f"{file} cannot be read: {error.strerror}") from error
    with source:
        yield source.fileno()


async def numbered_lines(descriptor: int) -> AsyncIterator[tuple[int, bytes | None]]:
    """The lines without their ends, counted from 1; None in between, when nothing has come for a while."""
    number = 0
    pieces: list[bytes] = []
    while True:
        chunk = await asyncio.to_thread(_read, descriptor)
        if chunk is None:
            yield number, None
            continue
        pieces.append(chunk)
        if b"\n" in chunk or not chunk:
            *lines, last = b"".join(pieces).split(b"\n")
            if not chunk and last:
                lines.append(last)
            pieces = [last]
            for line in lines:
                number += 1
                yield number, line
        if not chunk:
            return


def _read(descriptor: int) -> bytes | None:
    """What has come, nothing at the end; None if nothing comes for a while."""
    if not select.select([descriptor], [], [], _PAUSE)[0]:
        return None
    return os.read(descriptor, 1 << 16)
