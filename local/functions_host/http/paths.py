"""Paths and queries of requests as the real host's web server, Kestrel, hands them on: decoded, and dots resolved."""

import re
from collections.abc import Iterable
from urllib.parse import quote

_ENCODED = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_ENCODED_BUT_SLASHES = re.compile(r"(?:%(?!2[fF])[0-9a-fA-F]{2})+")
# What may stand in a path as it is; what looks encoded stays, too, even if it was only decoded into looking so.
_TO_ENCODE = re.compile(r"%(?![0-9a-fA-F]{2})|[^\w\-.~!$&'()*+,;=:@/%]|[^\x00-\x7f]")
_LONGEST_CHARACTER = 4


def decoded_path(path: str) -> str:
    """The path decoded once, but for slashes and for what is no UTF-8, and without its dot segments."""
    return _without_dots(_ENCODED_BUT_SLASHES.sub(lambda run: _decoded(run[0]), path))


def encoded_path(path: str) -> str:
    """A decoded path as it stands in the URL that a function sees."""
    return _TO_ENCODE.sub(lambda character: quote(character[0]), path)


def query_parameters(query: str) -> dict[str, str]:
    """Names with their values, joined by commas; a name without any value is left out, and case makes no other name."""
    pairs: dict[str, tuple[str, list[str]]] = {}
    for piece in query.split("&"):
        name, _, value = (_decoded_in_query(part) for part in piece.partition("="))
        values = pairs.get(name.lower(), ("", []))[1]
        pairs[name.lower()] = name, [*values, value]
    return {name: joined for name, values in pairs.values() if (joined := joined_values(values))}


def joined_values(values: Iterable[str]) -> str:
    return ",".join(filter(None, values))


def _decoded_in_query(text: str) -> str:
    return _ENCODED.sub(lambda run: _decoded(run[0]), text.replace("+", " "))


def _decoded(run: str) -> str:
    """Bytes written as `%C3%BC`; those that are no UTF-8 stay as they were written."""
    raw, position, text = bytes.fromhex(run.replace("%", "")), 0, ""
    while position < len(raw):
        for length in range(1, _LONGEST_CHARACTER + 1):
            try:
                text += raw[position : position + length].decode()
            except UnicodeDecodeError:
                continue
            position += length
            break
        else:
            text += run[3 * position : 3 * position + 3]
            position += 1
    return text


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:]
    for position, segment in enumerate(segments):
        if segment not in (".", ".."):
            kept.append(segment)
            continue
        if segment == ".." and kept:
            kept.pop()
        if position == len(segments) - 1:
            kept.append("")
    return "/" + "/".join(kept)
