"""Counts what this process asks of the storage, whichever client asks it, retries included: where aiohttp sends it, and
where the app's own first attempts go over the wire.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientResponse, ClientSession

from bench.harness.storage_counts import HttpHead, kind_of
from shared.adapters.tables.service.wire import Answer, Wire


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
        traffic.requests[kind_of(HttpHead(method, str(url)))] += 1
        body = options.get("data")
        traffic.bytes_out[_service(str(url))] += len(body) if isinstance(body, (bytes, str)) else 0
        return await request(session, method, url, **options)

    async def counting_read(response: ClientResponse) -> bytes:
        body = await read(response)
        traffic.bytes_in[_service(str(response.url))] += len(body)
        return body

    ask = Wire.ask

    async def counting_ask(wire: Wire, request: bytes, deadline: float) -> Answer:
        traffic.requests[kind_of(HttpHead.of(request))] += 1
        traffic.bytes_out["table"] += len(request) - request.index(b"\r\n\r\n") - 4
        answer = await ask(wire, request, deadline)
        traffic.bytes_in["table"] += len(answer.body)
        return answer

    setattr(Wire, "ask", counting_ask)  # noqa: B010 - a method, to mypy
    setattr(ClientSession, "_request", counting_request)  # noqa: B010
    setattr(ClientResponse, "read", counting_read)  # noqa: B010
    return traffic
