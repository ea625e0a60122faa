"""Counts what this process asks of the storage: requests as they go out, retries included, and rows as they come in."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from azure.core.pipeline.transport import AioHttpTransport

from shared.adapters.tables.service.table import Row, Table
from shared.adapters.tables.service.wire import Answer, Wire

_OPERATIONS = {"GET": "read", "POST": "insert", "PUT": "replace", "MERGE": "merge", "DELETE": "delete"}
HOSTS_OWN = frozenset({"queue backfill-slices: receive", "queue backfill-slices: delete"})
"""Requests of the functions host, which are there whatever the app does."""


class Counts:
    """`requests` by what and how, such as `Profiles: read`; `rows` by table."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()

    def clear(self) -> None:
        self.requests.clear()
        self.rows.clear()

    def to_json(self) -> dict[str, dict[str, int]]:
        requests = {what: count for what, count in self.requests.items() if what not in HOSTS_OWN}
        return {"requests": dict(sorted(requests.items())), "rows": dict(sorted(self.rows.items()))}


class HttpHead(NamedTuple):
    """The first line of a request as it goes over the wire."""

    method: str
    url: str

    @classmethod
    def of(cls, request: bytes) -> "HttpHead":
        method, path, _ = request[: request.index(b"\r\n")].decode().split(" ")
        return cls(method, path)


def count_storage() -> Counts:
    """Count from now on, for the rest of the process."""
    counts = Counts()
    _count_requests(counts)
    _count_rows(counts)
    return counts


def _count_requests(counts: Counts) -> None:
    send = AioHttpTransport.send

    async def counting_send(transport: AioHttpTransport, request: Any, **options: Any) -> Any:
        counts.requests[kind_of(request)] += 1
        return await send(transport, request, **options)

    setattr(AioHttpTransport, "send", counting_send)  # noqa: B010 - a method, to mypy
    ask = Wire.ask

    async def counting_ask(wire: Wire, request: bytes, deadline: float) -> Answer:
        counts.requests[kind_of(HttpHead.of(request))] += 1
        return await ask(wire, request, deadline)

    setattr(Wire, "ask", counting_ask)  # noqa: B010


def _count_rows(counts: Counts) -> None:
    get, partition = Table.get, Table.partition

    async def counting_get(table: Table, partition_key: str, row_key: str) -> Row | None:
        row = await get(table, partition_key, row_key)
        counts.rows[table.name] += row is not None
        return row

    async def counting_partition(table: Table, *arguments: Any, **options: Any) -> AsyncIterator[Row]:
        async for row in partition(table, *arguments, **options):
            counts.rows[table.name] += 1
            yield row

    setattr(Table, "get", counting_get)  # noqa: B010
    setattr(Table, "partition", counting_partition)  # noqa: B010


def kind_of(request: Any) -> str:
    """`Profiles: read` for a request of one row, `Profiles: query` for one of many, `queue x: put` and so on."""
    path = unquote(urlsplit(request.url).path).split("/", 2)[2]
    method: str = request.method
    if "/messages" in path:
        queue = path.partition("/")[0]
        return f"queue {queue}: { ({'POST': 'put', 'GET': 'receive', 'DELETE': 'delete', 'PUT': 'update'}[method]) }"
    table, _, keys = path.partition("(")
    if method == "GET" and "PartitionKey=" not in keys:
        return f"{table}: query"
    return f"{table}: {_OPERATIONS.get(method, method.lower())}"
