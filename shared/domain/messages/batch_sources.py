"""The text of each item of a batch, found by brackets alone, so that one bad item does not hide its neighbours.

A JSON parser gives up on a whole message for one item that is no JSON or nested too deeply for it; and a rejected
item is to be kept as it was received.
"""

import json
import re

_WHITE_SPACE = " \t\r\n"
_STRING = r'"(?:[^"\\]+|\\.)*"?'  # one without an end takes all the rest, which keeps the search linear
_TOKEN = re.compile(rf"{_STRING}|[{{}}\[\],]", re.DOTALL)
_MEMBER = re.compile(rf"({_STRING})[{_WHITE_SPACE}]*:", re.DOTALL)


def batch_sources(text: str) -> list[str] | None:
    """The items' texts of `[…]` or `{"changes": […]}`; None where `text` is no batch or its brackets do not match."""
    if text.startswith("["):
        return _elements(text, "]")
    members = _members(text)
    if "profileId" in members or not members.get("changes", "").startswith("["):
        return None
    return _elements(members["changes"], "]")


def _members(text: str) -> dict[str, str]:
    members = {}
    for member in _elements(text, "}") or []:
        if key := _MEMBER.match(member):
            try:
                name = json.loads(key[1])
            except ValueError:
                return {}
            members[name] = member[key.end() :].strip(_WHITE_SPACE)
    return members


def _elements(text: str, closing: str) -> list[str] | None:
    """What stands between the commas of the outermost brackets, which must span the whole of `text`."""
    elements: list[str] = []
    depth, start = 0, 0
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark in "{[":
            depth += 1
            start = token.end() if depth == 1 else start
        elif mark in "}]":
            depth -= 1
            if depth == 0:
                if mark != closing or text[token.end() :].strip(_WHITE_SPACE):
                    return None
                last = text[start : token.start()].strip(_WHITE_SPACE)
                return [*elements, last] if elements or last else []
        elif mark == "," and depth == 1:
            elements.append(text[start : token.start()].strip(_WHITE_SPACE))
            start = token.end()
    return None
