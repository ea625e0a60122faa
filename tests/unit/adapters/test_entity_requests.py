"""What the requests of a change's way look like where the account knows the app by its identity."""

import json
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

import pytest
from azure.core.credentials import AccessToken, AzureNamedKeyCredential, AzureSasCredential
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.data.tables.aio import TableServiceClient

from shared.adapters.tables.service.entity_requests import EntityRequests


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
    def __init__(self, status_code: int = 200) -> None:
        self.status_code = status_code

    headers = {"ETag": "e"}  # noqa: RUF012
    content = json.dumps({"PartitionKey": "p", "RowKey": "r"}).encode()


class Transport(AsyncHttpTransport[Any, Any]):
    """Answers every request, and keeps it."""

    def __init__(self, *statuses: int) -> None:
        self.requests: list[Any] = []
        self.dates: list[str] = []
        self._statuses = iter(statuses)

    async def send(self, request: Any, **_: Any) -> Any:
        self.requests.append(request)
        self.dates.append(request.headers["x-ms-date"])
        return Response(next(self._statuses, 200))

    async def sleep(self, duration: float) -> None: ...

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


@pytest.mark.parametrize(
    ("credential", "query"),
    [
        (Identity(), ""),
        (AzureNamedKeyCredential("account", "a2V5"), ""),
        (AzureSasCredential("sig=x"), ""),
        (None, "?sig=x"),
    ],
    ids=["identity", "key", "SAS", "SAS in the address"],
)
async def test_every_attempt_is_dated_whatever_the_credential(
    credential: Any, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A date that is 15 minutes old is refused, so another attempt has another."""
    now = iter(range(0, 600, 60))
    monkeypatch.setattr(
        "shared.adapters.tables.service.entity_requests.formatdate", lambda usegmt: formatdate(next(now), usegmt=usegmt)
    )
    transport = Transport(503)
    service = TableServiceClient(f"https://account.table.core.windows.net{query}", credential=credential)
    requests = EntityRequests(service, transport, {"retry_total": 1, "retry_backoff_factor": 0})
    row = {"PartitionKey": "p", "RowKey": "r"}
    await requests.get("T", "p", "r")
    await requests.insert("T", row)
    await requests.replace("T", row, "e")
    await requests.put("T", row)
    assert [parsedate_to_datetime(date).minute for date in transport.dates] == [0, 1, 2, 3, 4]
    assert all(date.endswith(" GMT") for date in transport.dates)
