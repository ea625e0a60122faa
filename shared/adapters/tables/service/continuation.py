"""Continuation tokens: where a list goes on, as text that nobody but the list needs to understand."""

import base64
import json

from shared.errors import BadContinuationError


def encode_token(*parts: str | None) -> str:
    """`parts` as text that may stand in a URL as it is."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode_token(token: str, length: int) -> list[str | None]:
    """The `length` parts of `token`. Raises BadContinuationError for what `encode_token` did not make of so many."""
    try:
        parts = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        raise BadContinuationError from None
    if not isinstance(parts, list) or len(parts) != length:
        raise BadContinuationError
    if not all(part is None or (isinstance(part, str) and part.isprintable()) for part in parts):
        raise BadContinuationError
    return parts
