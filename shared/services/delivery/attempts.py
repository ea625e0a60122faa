"""What comes of one more attempt at an export."""

from enum import StrEnum

from shared.errors import ExportTooLargeError, HeldBackError, SendError


class Attempt(StrEnum):
    """What came of an attempt.

    `refused`: the hub takes no event like this one, though others. `kept`: the hub took it, and the row stays until
    every worker knows that it does. `parked`: its destination or its partition takes nothing for now.
    """

    SENT = "sent"
    KEPT = "kept"
    FAILED = "failed"
    REFUSED = "refused"
    PARKED = "parked"
    DROPPED = "dropped"
    OUTDATED = "outdated"


def failed_attempt(error: SendError) -> Attempt:
    if isinstance(error, HeldBackError):
        return Attempt.PARKED
    return Attempt.REFUSED if isinstance(error, ExportTooLargeError) else Attempt.FAILED
