"""When a message that failed is to come again."""

_MOST_SECONDS = 300.0
_MOST_SECONDS_OF_AN_OUTAGE = 600.0


def redelivery_delay(deliveries: int, first: float, *, storage_failed: bool) -> float:
    """Seconds after the failure of the delivery with this number, from 1 on; `first` is the delay after the first.

    It doubles with each delivery, and where storage fails, which no haste mends, it grows threefold.
    """
    factor, most = (3.0, _MOST_SECONDS_OF_AN_OUTAGE) if storage_failed else (2.0, _MOST_SECONDS)
    growing = max(0, min(deliveries, 32) - 1)
    return max(first, min(most, first * factor**growing))
