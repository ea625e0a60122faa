"""Where a message came from, as far as it matters for its exports, and what is told of the work on its way."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from shared.domain.exports.export import Export


@dataclass(frozen=True, slots=True)
class Origin:
    """`received_at`: when the message was queued, in microseconds; 0: unknown. `traceparent`: of W3C Trace Context."""

    received_at: int
    traceparent: str | None = None


class Tracing(Protocol):
    def message(self, message_id: str, traceparent: str | None, /) -> AbstractContextManager[str | None]:
        """A message is handled, which came with this `traceparent`; gives the one for the events that come of it."""

    def send(self, exports: Sequence[Export], partition: str, /) -> AbstractContextManager[None]:
        """One batch is sent to a partition of the hub of its exports, of which there is at least one."""


class PassOn:
    """Traces nothing here; whoever traces upstream and downstream finds one trace all the same."""

    def message(self, _message_id: str, traceparent: str | None, /) -> AbstractContextManager[str | None]:
        return nullcontext(traceparent)

    def send(self, _exports: Sequence[Export], _partition: str, /) -> AbstractContextManager[None]:
        return nullcontext()
