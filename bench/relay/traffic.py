"""Counts what this process asks of the storage, whichever client asks it: where aiohttp sends it, retries included."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import ClientResponse, ClientSession

from bench.harness.storage_counts import kind_of


class _Request(NamedTuple):
    method: str
    url: str


@dataclass
class Traffic:
    """`requests` by what and how, such as `Profiles: read`; bytes of bodies, by service: `table` or `queue`."""

    requests: Counter[str] = field(default_factory=Counter)
    bytes_out: Counter[str] = field(default_factory=Counter)
    bytes_in: Counter[str] = field(default_factory=Counter)

    def clear(self) -> None:
        for counter in (self.requests, self.bytes_out, self.bytes_in):
            counter.clear()

    def to_json(self) -> dict[str, Any]:
        return {
            "requests": dict(sorted(self.requests.items())),
            "bytesOut": dict(self.bytes_out),
            "bytesIn": dict(self.bytes_in),
        }


def _service(url: str) -> str:
    return "queue" if "/messages" in url else "table"


def count_traffic() -> Traffic:
    """Count from now on, for the rest of the process. It takes microseconds a request, of everybody alike."""
    traffic = Traffic()
    request, read = ClientSession._request, ClientResponse.read

    async def counting_request(session: ClientSession, method: str, url: Any, **options: Any) -> ClientResponse:
        traffic.requests[kind_of(_Request(method, str(url)))] += 1
        body = options.get("data")
        traffic.bytes_out[_service(str(url))] += len(body) if isinstance(body, (bytes, str)) else 0
        return await request(session, method, url, **options)

    async def counting_read(response: ClientResponse) -> bytes:
        body = await read(response)
        traffic.bytes_in[_service(str(response.url))] += len(body)
        return body

    setattr(ClientSession, "_request", counting_request)  # noqa: B010 - a method, to mypy
    setattr(ClientResponse, "read", counting_read)  # noqa: B010
    return traffic
