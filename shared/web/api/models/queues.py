"""What the API gives of the queues."""

from typing import Literal

from pydantic import Field

from shared.domain.instants import format_instant
from shared.ports.queues import QueueCount
from shared.web.api.models.views import View


class QueueView(View):
    name: str
    kind: Literal["changes", "retries", "slices", "alerts"] = Field(description="What it brings")
    poison: bool = Field(description="Whether it has the messages that failed at every delivery")
    messages: int | None = Field(
        description="About how many there are, also those that are being handled or wait for their delay; "
        "null where there is no such queue"
    )
    front_inserted_at: str | None = Field(
        description="When the first message was put there of those that can be taken now; null where there is none"
    )

    @classmethod
    def of(cls, count: QueueCount) -> "QueueView":
        front = count.front_inserted_at
        return cls(
            name=count.name,
            kind=count.kind.value,
            poison=count.poison,
            messages=count.messages,
            front_inserted_at=None if front is None else format_instant(front),
        )


class QueueList(View):
    """Each queue, and behind it its `-poison` queue."""

    queues: list[QueueView]
