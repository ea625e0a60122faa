"""A worker that is told to stop does one more thing, and ends by the signal all the same."""

import signal
import subprocess
import sys

import pytest

WORKER = """
import asyncio, os, signal, sys
from shared.stopping import before_the_end

async def last():
    await asyncio.sleep(0)
    print("let go", flush=True)
    {last}

async def main():
    {before}
    before_the_end(last)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def run(last: str = "", before: str = "") -> tuple[str, int]:
    """What such a process printed, and how it ended."""
    code = WORKER.format(last=last, before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout, done.returncode


@pytest.mark.parametrize("last", ["", "raise OSError", "os.kill(os.getpid(), signal.SIGTERM)"])
def test_it_ends_after_the_last_thing_whatever_comes_of_that(last: str) -> None:
    assert run(last) == ("let go\n", -signal.SIGTERM)


def test_whoever_listens_already_decides_what_is_done() -> None:
    assert run(before="signal.signal(signal.SIGTERM, lambda *_: os._exit(3))") == ("", 3)
