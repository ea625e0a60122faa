"""What talks to sockets itself is tried on both event loops that run functions."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The worker for Python 3.13 uses uvloop, which lacks some of what asyncio's own loop has."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
