"""Says why a hub does not let a reader in.

Of the SDK's asynchronous client nobody hears that: whatever refuses a link that it opens, it tries again for ever, in
silence. It tells of a link alone that a reader with an owner level took. What it does not promise is used in this
module only.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from azure.eventhub._pyamqp.error import AMQPLinkError
from azure.eventhub.aio import EventHubConsumerClient
from azure.eventhub.exceptions import EventHubError

_PASSING = {"link:detach-forced", "internal-error", "server-busy", "timeout"}
"""The conditions, as the SDK names them, that a reader may get past by trying again."""


def tell_of_refusals(client: EventHubConsumerClient, tell: Callable[[EventHubError], Awaitable[None]]) -> None:
    """Have `tell` called with what refuses a link of this client, which goes on trying all the same."""
    sdk: Any = client
    create = sdk._create_consumer

    def create_outspoken(*arguments: Any, **options: Any) -> Any:
        consumer = create(*arguments, **options)
        open_link = consumer._open

        async def open_or_tell() -> None:
            try:
                await open_link()
            except AMQPLinkError as error:
                refusal = await consumer._handle_exception(error)
                if refusal.error not in _PASSING:
                    await tell(refusal)
                raise

        consumer._open = open_or_tell
        return consumer

    sdk._create_consumer = create_outspoken


def why_refused(error: Exception, consumer_group: str) -> str:
    """What to do about it, for a reader that has learnt of the hub's partitions before."""
    match getattr(error, "error", None):
        case "link:stolen":
            return (
                f"another reader holds consumer group {consumer_group!r} for itself, by an owner level (an epoch), as "
                "processors do: read in a group of your own, with --consumer-group"
            )
        case "resource-limit-exceeded":
            return (
                f"consumer group {consumer_group!r} has as many readers of a partition as it may have, five: end one, "
                "or read in a group of your own, with --consumer-group"
            )
        case "not-found":
            return (
                f"does the hub have the consumer group {consumer_group!r}? python -m local up --consumer-group NAME "
                "declares one on the local stack"
            )
    return "is Event Hubs running, and does the hub exist?"
