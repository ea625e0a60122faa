"""The queues."""

from typing import Literal

from pydantic import Field

from shared.views.view import InstantOrNone, View


class QueueView(View):
    name: str
    kind: Literal["changes", "retries", "slices", "alerts"] = Field(description="What it brings")
    poison: bool = Field(description="Whether it has the messages that failed at every delivery")
    messages: int | None = Field(
        description="About how many there are, also those that are being handled or wait for their delay; "
        "null where there is no such queue, or where it could not be counted"
    )
    unknown: str | None = Field(default=None, description="Why it could not be counted")
    front_inserted_at: InstantOrNone = Field(
        description="When the first message was put there of those that can be taken now; null where there is none"
    )


class QueueList(View):
    """Each queue, and behind it its `-poison` queue."""

    queues: list[QueueView]
