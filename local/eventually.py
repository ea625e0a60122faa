"""Waiting for a condition, with a deadline, and never longer than needed."""

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")

_POLL_INTERVAL = 0.05


@overload
async def eventually(condition: Callable[[], Coroutine[Any, Any, T]], timeout: float = ...) -> T: ...  # noqa: ASYNC109


@overload
async def eventually(condition: Callable[[], T], timeout: float = ...) -> T: ...  # noqa: ASYNC109


async def eventually(
    condition: Callable[[], Any],
    timeout: float = 10.0,  # noqa: ASYNC109 - the deadline of a poll, told in its failure
) -> Any:
    """The first true value of `condition`, a function or coroutine function. What it asserts may fail until then."""
    deadline = time.monotonic() + timeout
    failure: AssertionError | None = None
    value: object = None
    while time.monotonic() < deadline:
        try:
            answer = condition()
            value = await answer if inspect.isawaitable(answer) else answer
            failure = None
            if value:
                return value
        except AssertionError as error:
            failure = error
        await asyncio.sleep(_POLL_INTERVAL)
    raise AssertionError(f"still not so after {timeout:g} s; the last value was {value!r}") from failure
