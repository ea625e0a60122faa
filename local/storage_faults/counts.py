"""How many requests went through the proxy, by what they did and to what."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from local.storage_faults.rules import Service

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class CountedRequest(NamedTuple):
    """`resource` is a container's, queue's or table's name, `Tables` for tables made or listed, "" for the account."""

    service: Service
    method: str
    resource: str

    @property
    def writes_rows(self) -> bool:
        """Whether it inserts, changes or deletes a row, as far as its method tells: it may have been refused."""
        return self.service == "table" and self.resource not in ("Tables", "") and self.method not in _READING


class RequestCounts:
    """Counts since the start, or since they were last cleared."""

    def __init__(self) -> None:
        self._counts: Counter[CountedRequest] = Counter()

    def add(self, service: Service, requests: Sequence[tuple[str, str]]) -> None:
        """Count (method, path) of each; paths begin with the account, as the storage emulator's do."""
        self._counts.update(CountedRequest(service, method, resource_of(path)) for method, path in requests)

    def clear(self) -> None:
        self._counts.clear()

    def to_json(self) -> list[dict[str, Any]]:
        return [{**key._asdict(), "count": count} for key, count in sorted(self._counts.items())]


def counts_from_json(document: Sequence[dict[str, Any]]) -> Counter[CountedRequest]:
    """What `to_json` made of them."""
    return Counter(
        {CountedRequest(each["service"], each["method"], each["resource"]): each["count"] for each in document}
    )


def resource_of(path: str) -> str:
    """`/account/Table(PartitionKey='p',RowKey='r')` -> `Table`, `/account/queue/messages/id` -> `queue`."""
    after_account = path.removeprefix("/").partition("/")[2]
    return after_account.partition("/")[0].partition("(")[0]
