"""What each destination was last told of a profile, once it is due no more: one number for each, in the profile's row.

Of what is due the row says more, for a day. So a destination is in here only where nothing newer is due to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

REASONS = ("audience", "attribute", "identity", "consent")
"""Each is a bit of a mark, in this order, for good: rows have them."""
_BITS = {reason: 1 << number for number, reason in enumerate(REASONS)}
_ROOM = 16
MOST = 128
"""Of so many destinations a row says it, those told last: ids of removed ones would gather without an end."""

Marks: TypeAlias = dict[str, int]
"""By destination id: sixteen times the version that it was told, plus the reasons. So the greater mark is the later."""


def mark(version: int, reasons: Iterable[str]) -> int:
    return version * _ROOM + sum({_BITS.get(reason, 0) for reason in reasons})


def of_mark(told: int) -> tuple[int, tuple[str, ...]]:
    """The version and the reasons."""
    version, bits = divmod(told, _ROOM)
    return version, tuple(reason for reason, bit in _BITS.items() if bits & bit)


def remember(marks: Marks, version: int, reasons: Mapping[str, Sequence[str]]) -> None:
    """That destinations were told this version for these reasons, unless they were told a later one."""
    for destination_id, why in reasons.items():
        marks[destination_id] = max(mark(version, why), marks.get(destination_id, 0))


def latest(marks: Marks) -> Marks:
    """Without what is too much; `marks` itself where nothing is."""
    if len(marks) <= MOST:
        return marks
    return dict(sorted(marks.items(), key=lambda each: each[1])[-MOST:])
