"""The trace that a message belongs to, as W3C Trace Context writes it."""

import re

_SHAPE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent_of(value: object) -> str | None:
    """`value` if it is a `traceparent`; whatever else it is counts as none, as the standard asks."""
    return value if isinstance(value, str) and _SHAPE.fullmatch(value) else None
