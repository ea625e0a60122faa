"""The text of a queue message and what it stands for: host.json's `messageEncoding`."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

# What .NET passes over within base64.
_WHITESPACE = str.maketrans("", "", " \t\r\n")


class UndecodableMessageError(Exception):
    """The text of a queue message is not in the encoding that host.json states."""


@dataclass(frozen=True)
class MessageEncoding:
    """How a body is written as a message's text, and read from it."""

    decode: Callable[[str], bytes]
    """UndecodableMessageError where the text stands for nothing."""
    encode: Callable[[bytes], str]
    """UnicodeDecodeError where the bytes cannot be written."""

    def tidied(self, text: str) -> str:
        """The text as the host writes it when it copies the message; what it cannot read it copies as it is."""
        try:
            return self.encode(self.decode(text))
        except UndecodableMessageError:
            return text


def _from_base64(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text.translate(_WHITESPACE), strict_mode=True)
    except ValueError as error:  # binascii's own error is one, and characters beyond ASCII are another
        raise UndecodableMessageError("the message is not base64") from error


BASE64 = MessageEncoding(_from_base64, lambda body: base64.b64encode(body).decode())
PLAIN = MessageEncoding(str.encode, bytes.decode)
