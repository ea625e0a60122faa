"""Whether a profile was in an audience at the beginning of a slot of the last day: a daily count asks that.

A sweep comes to each profile at another moment, while changes go on. It counts who was in an audience when its slot
began, so that what is counted as it happens, from that slot on, adds up with it.
"""

from collections.abc import Iterable
from typing import TypeAlias

from shared.domain.instants import DAY
from shared.domain.profile.memberships import AudienceKey
from shared.domain.runs import SLOT

KEPT_FOR = DAY
"""A sweep that takes longer counts some of those who come and go as of a later moment."""

Marks: TypeAlias = dict[AudienceKey, list[int]]
"""For each audience, by time: the slots in which the profile entered or left it, each as twice its number, plus one if
the profile was in the audience before.
"""


def mark(marks: Marks, audience: AudienceKey, at: int, *, was_in: bool) -> None:
    """The profile enters or leaves the audience at `at`, which is no earlier than what was marked before."""
    slot = at // SLOT
    codes = marks.setdefault(audience, [])
    if not codes or codes[-1] >> 1 < slot:
        codes.append(2 * slot + was_in)


def recent(marks: Marks, now: int) -> Marks:
    """Without what is older than KEPT_FOR; `marks` itself where nothing is."""
    oldest = 2 * ((now - KEPT_FOR) // SLOT)
    if all(codes[0] >= oldest for codes in marks.values()):
        return marks
    kept = ((audience, [code for code in codes if code >= oldest]) for audience, codes in marks.items())
    return {audience: codes for audience, codes in kept if codes}


def were_in(marks: Marks, are_in: Iterable[AudienceKey], at: int) -> set[AudienceKey]:
    """The audiences that the profile was in at `at`, the beginning of a slot, if it is in `are_in` now."""
    members = set(are_in)
    for audience, codes in marks.items():
        code = next((code for code in codes if code >= 2 * (at // SLOT)), None)
        if code is not None:
            (members.add if code & 1 else members.discard)(audience)
    return members
