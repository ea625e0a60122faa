"""What the path of a URL can name on the platform.

The Functions host decodes a path before the app sees it: all but `%2F`, and bytes that are no UTF-8, which it leaves as
they came. So what is left may have been text as well.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote

LONGEST = 8_000
"""Characters of an encoded segment and what is in the query beside it: the host takes a request line of 8 KiB."""
_ENCODED = re.compile(r"%2F|(?:%[89A-F][0-9A-F])+", re.IGNORECASE)


def undecoded(path: str) -> Iterator[re.Match[str]]:
    """The pieces of `path`, as the host hands it over, of which nobody knows whether they came encoded or as text."""
    return (found for found in _ENCODED.finditer(path) if found[0].upper() == "%2F" or not _is_utf8(found[0]))


def why_no_segment(text: str, query: str = "") -> str | None:
    """Why `text` cannot be named as one segment of a path, with `query` in a parameter beside it; None if it can."""
    if text in {".", ".."}:
        return "it is a step of the path itself"
    for character, name in (("/", "a slash"), ("\0", "the character NUL")):
        if character in text:
            return f"it has {name}"
    if left := next(undecoded(text), None):
        return f"it has the text {left[0]}, which may be an encoded character as well"
    try:
        length = len(quote(text)) + len(quote(query))
    except UnicodeEncodeError:
        return "it has half of a surrogate pair"
    return f"it would need {length:,} characters, of which {LONGEST:,} go" if length > LONGEST else None


def _is_utf8(encoded: str) -> bool:
    """Then it is text: the host would have decoded it."""
    try:
        unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        return False
    return True
