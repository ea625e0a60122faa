"""Why events came twice, as far as hubs show it: by the trace of the message that called for each, and by reason."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from local.exports import Export

DELIVERED_AGAIN = "a message was delivered again"
SLICE_BEGUN_AGAIN = "a slice of a backfill was begun again"
BESIDE_A_CHANGE = "a backfill and a change"
SENT_ONCE_MORE = "a retry, a redrive or settling the order; or a message that names no trace"


def causes_of_duplicates(exports: Iterable[Export]) -> Counter[str]:
    """How many came again, by why; each beyond the first with its message_id counts."""
    copies: dict[str | None, list[Export]] = defaultdict(list)
    for export in exports:
        copies[export.message_id].append(export)
    causes: Counter[str] = Counter()
    for each in copies.values():
        first, *others = sorted(each, key=lambda export: export.sequence_number)
        causes.update(_cause(first, again) for again in others)
    return causes


def _cause(first: Export, again: Export) -> str:
    if again.properties.get("traceparent"):
        return DELIVERED_AGAIN
    if again.properties["reason"] == "backfill":
        return SLICE_BEGUN_AGAIN if first.properties["reason"] == "backfill" else BESIDE_A_CHANGE
    return SENT_ONCE_MORE
