"""What the requests of a change's way look like where the account knows the app by its identity."""

import json
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.data.tables.aio import TableServiceClient

from shared.adapters.tables.entity_requests import EntityRequests


class Identity:
    """A credential that counts the tokens it gave."""

    def __init__(self) -> None:
        self.scopes: list[tuple[str, ...]] = []

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes.append(scopes)
        return AccessToken("token", 2**40)

    async def close(self) -> None: ...

    async def __aenter__(self) -> "Identity":
        return self

    async def __aexit__(self, *_: object) -> None: ...


class Response:
    status_code = 200
    headers = {"ETag": "e"}  # noqa: RUF012
    content = json.dumps({"PartitionKey": "p", "RowKey": "r"}).encode()


class Transport(AsyncHttpTransport[Any, Any]):
    """Answers every request, and keeps it."""

    def __init__(self) -> None:
        self.requests: list[Any] = []

    async def send(self, request: Any, **_: Any) -> Any:
        self.requests.append(request)
        return Response()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


async def test_a_token_is_fetched_once_and_sent_with_every_request() -> None:
    identity, transport = Identity(), Transport()
    service = TableServiceClient("https://account.table.core.windows.net", credential=identity)
    requests = EntityRequests(service, transport, {})
    assert await requests.get("T", "p", "r") == ({"PartitionKey": "p", "RowKey": "r"}, "e")
    assert await requests.replace("T", {"PartitionKey": "p", "RowKey": "r"}, "e") == "e"
    assert identity.scopes == [("https://storage.azure.com/.default",)]
    for request in transport.requests:
        assert request.url == "https://account.table.core.windows.net/T(PartitionKey='p',RowKey='r')"
        assert request.headers["Authorization"] == "Bearer token"
    assert transport.requests[1].headers["If-Match"] == "e"
