"""The Azure SDK's own tracing, switched on, with spans that need no telemetry behind them."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from azure.core.settings import settings

_current: ContextVar[str] = ContextVar("_current", default="")


class _Span:
    """What the SDK asks of a span; one within another belongs to its trace."""

    def __init__(self, **_: Any) -> None:
        self._trace = _current.get() or secrets.token_hex(16)
        self._id = secrets.token_hex(8)

    def __enter__(self) -> "_Span":
        self._token = _current.set(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)

    def to_header(self) -> dict[str, str]:
        return {"traceparent": f"00-{self._trace}-{self._id}-01"}

    def add_attribute(self, _name: str, _value: object) -> None:
        """Nobody looks at them."""


@contextmanager
def sdk_tracing() -> Iterator[None]:
    """As the setting AZURE_SDK_TRACING_IMPLEMENTATION does it."""
    before = settings.tracing_implementation()
    settings.tracing_implementation = cast("Any", _Span)
    try:
        yield
    finally:
        settings.tracing_implementation = cast("Any", before)


@contextmanager
def within_trace(trace: str) -> Iterator[None]:
    """As in a span of the application's own, of the trace with these 32 hexadecimal digits."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)
