"""The queue of profile changes, for putting messages on it."""

import base64
import re
from xml.sax.saxutils import escape

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.queue.aio import QueueClient

from shared.adapters.storage_reasons import storage_error
from shared.domain.messages.batches import MESSAGE_LIMIT
from shared.errors import MessageTooLargeError, StorageError

_NEVER_EXPIRES = -1

# Messages travel as XML, which has no other characters, and whose readers turn each carriage return into a line feed.
_UNCHANGED_BY_XML = re.compile("[\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


class StorageChangesQueue:
    def __init__(self, client: QueueClient, name: str) -> None:
        self._client = client
        self._name = name

    async def put(self, body: bytes) -> None:
        """Raises MessageTooLargeError, StorageError."""
        text = message_text(body)
        try:
            # By default a message goes after seven days: of an app that is down for longer, changes would be lost.
            await self._client.send_message(text, time_to_live=_NEVER_EXPIRES)
        except ResourceNotFoundError as error:
            raise StorageError(
                f"queue {self._name} is missing: create it, or name another in the app setting PROFILE_CHANGES_QUEUE"
            ) from error
        except HttpResponseError as error:
            if error.status_code == 413 or "MessageTooLarge" in str(error):
                raise _too_large(body) from error
            failed = self._failed(error)
            if error.status_code in (401, 403):
                advice = "whoever puts messages needs the role Storage Queue Data Message Sender on the queue"
                raise type(failed)(f"{failed}; {advice}") from error
            raise failed from error
        except AzureError as error:
            raise self._failed(error) from error

    def _failed(self, error: AzureError) -> StorageError:
        return storage_error(f"queue {self._name}: could not put a message", error)


def message_text(body: bytes) -> str:
    """`body` as the text of a message: as it is where it arrives unchanged, else in base64, which the app decodes.

    Raises MessageTooLargeError if neither fits.
    """
    encoded = base64.b64encode(body).decode()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = encoded
    if not _UNCHANGED_BY_XML.fullmatch(text):
        # The app decodes once: base64 with line ends of its own is not wrapped again.
        text = _without_spaces_if_base64(text) or encoded
    # Whether the limit counts escapes is not documented; base64 has none.
    if len(escape(text).encode()) > MESSAGE_LIMIT >= len(encoded):
        text = encoded
    if len(text.encode()) > MESSAGE_LIMIT:
        raise _too_large(body)
    return text


def _without_spaces_if_base64(text: str) -> str | None:
    joined = "".join(text.split())
    try:
        base64.b64decode(joined, validate=True)
    except ValueError:
        return None
    return joined


def _too_large(body: bytes) -> MessageTooLargeError:
    return MessageTooLargeError(
        f"{len(body):,} bytes do not fit a queue message of {MESSAGE_LIMIT:,} (in base64: {MESSAGE_LIMIT * 3 // 4:,}): "
        "it stays in quarantine; take it from python -m local quarantine --json and send it in parts"
    )
