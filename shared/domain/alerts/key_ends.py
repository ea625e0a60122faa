"""When keys expire, as far as the app can know that."""

from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import parse_qs

from shared.domain.alerts.rules import MOST_DAYS_LEFT
from shared.domain.instants import DAY, SECOND


def days_left(end: int | None, now: int) -> float:
    """Until `end` (microseconds since the epoch), 0 if that is over; a year where it is further off, or there is none:
    then there is nothing to say.
    """
    return MOST_DAYS_LEFT if end is None else min(max(0.0, (end - now) / DAY), MOST_DAYS_LEFT)


def earliest(ends: Iterable[int | None]) -> int | None:
    """The first of the ends that there are."""
    return min((end for end in ends if end is not None), default=None)


def signature_end(connection_string: str) -> int | None:
    """When the shared access signature in the connection string of a storage account expires; None where it has none.
    What expires by a policy that is stored in the account does not say when.
    """
    for part in connection_string.split(";"):
        name, _, value = part.partition("=")
        if name.strip().lower() != "sharedaccesssignature":
            continue
        (text,) = parse_qs(value.strip().removeprefix("?")).get("se") or [""]
        try:
            end = datetime.fromisoformat(text)
        except ValueError:
            return None
        return int(end.replace(tzinfo=end.tzinfo or UTC).timestamp()) * SECOND
    return None
