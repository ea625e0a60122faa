"""From the host's queue message to the services' own."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal, TypeVar

import azure.functions as func

if TYPE_CHECKING:
    from shared.services.changes.export import InboundMessage
    from shared.services.wiring import Services

_SIGN_IN_SECONDS = 60.0
"""How long a new worker without a token holds a message, which the host would not bring again for half a minute. No
longer than until a token is asked for in vain after that, for an instance that is to end waits for what it has in hand.
"""
_LOOK_AGAIN_SECONDS = 1.0
_JUST_NOW_SECONDS = 1.5
"""Let go only so soon after a try: what is let go between two of them may come again long after sign-in is back."""
logger = logging.getLogger(__name__)
Decoded = TypeVar("Decoded")


@asynccontextmanager
async def in_hand(
    kind: Literal["changes", "retries", "slices", "alerts"], message: func.QueueMessage
) -> AsyncIterator["Services"]:
    """The services, to work on `message` with; while the block does, others give it back should this worker go.

    Raises MessageLeftError where a setting is wrong: the message is on its queue then.
    """
    from shared.bootstrap import leave_message  # here, so that indexing the functions does not load the SDKs
    from shared.domain.messages.queue_kind import QueueKind
    from shared.errors import MessageLeftError, SettingError

    delivered = (message.id or "", message.pop_receipt or "", message.dequeue_count or 1)
    try:
        services = await _services_once_signed_in()
    except SettingError as error:
        seconds = await leave_message(QueueKind(kind), *delivered, message.get_body())
        raise MessageLeftError(f"{error}; message {message.id} stays, and comes again in {seconds:.0f} s") from error
    async with services.hold_messages.holding(QueueKind(kind), *delivered):
        yield services


async def _services_once_signed_in() -> "Services":
    from shared.bootstrap import relay
    from shared.errors import StorageSignInError

    loop = asyncio.get_running_loop()
    until = loop.time() + _SIGN_IN_SECONDS
    while True:
        try:
            return (await relay()).services
        except StorageSignInError as error:
            if loop.time() >= until and error.asked_ago <= _JUST_NOW_SECONDS:
                raise
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def inbound_message(message: func.QueueMessage) -> "InboundMessage":
    from shared.services.changes.export import InboundMessage  # here, so that indexing does not load pydantic

    inserted = message.insertion_time
    received_at = int(inserted.timestamp() * 1_000_000) if inserted else 0
    return InboundMessage(message.id or "", message.get_body(), received_at)


async def decoded_or_none(decode: Callable[[bytes], Decoded], message: func.QueueMessage) -> Decoded | None:
    """What `decode` makes of a message of the app's own; what it refuses goes to quarantine at its first delivery.

    Raises StorageError.
    """
    try:
        return decode(message.get_body())
    except ValueError as error:
        from shared.bootstrap import relay
        from shared.errors import FailureCode

        inbound = inbound_message(message)
        await (await relay()).services.poisoned.unreadable(inbound, str(error), FailureCode.UNREADABLE)
        logger.warning("%s: the message %s is in quarantine", error, message.id)
        return None
