"""The app's queues, by what they bring."""

from enum import StrEnum


class QueueKind(StrEnum):
    """What a queue brings; each has a `-poison` queue beside it, for messages that failed at every delivery."""

    CHANGES = "changes"
    RETRIES = "retries"
    SLICES = "slices"
    ALERTS = "alerts"
