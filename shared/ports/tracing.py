"""Where a message came from, as far as it matters for its exports: when it was queued, and in which trace."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Origin:
    """`received_at`: when the message was queued, in microseconds; 0: unknown. `traceparent`: of W3C Trace Context."""

    received_at: int
    traceparent: str | None = None


class Tracing(Protocol):
    def message(self, message_id: str, traceparent: str | None, /) -> AbstractContextManager[str | None]:
        """A message is handled, which came with this `traceparent`; gives the one for the events that come of it."""


class PassOn:
    """Traces nothing here; whoever traces upstream and downstream finds one trace all the same."""

    def message(self, _message_id: str, traceparent: str | None, /) -> AbstractContextManager[str | None]:
        return nullcontext(traceparent)
