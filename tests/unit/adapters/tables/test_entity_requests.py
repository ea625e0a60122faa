"""What the requests of a change's way look like, at the first attempt and by azure-core's pipeline after it."""

import asyncio
import json
from collections.abc import Callable
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

import pytest
from azure.core.credentials import AccessToken, AzureNamedKeyCredential, AzureSasCredential
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.data.tables.aio import TableServiceClient

from shared.adapters.kept_tokens import KeptTokens
from shared.adapters.tables.service import signing
from shared.adapters.tables.service.entity_requests import EntityRequests
from shared.adapters.tables.service.wire import Answer, NoAnswerError, Wire

TIMEOUT = 15.0
ROW = {"PartitionKey": "p", "RowKey": "r"}
STORED = json.dumps(ROW).encode()
KEY = AzureNamedKeyCredential("account", "a2V5")


class Identity:
    """A credential that counts the tokens it gave."""

    def __init__(self) -> None:
        self.scopes: list[tuple[str, ...]] = []

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes.append(scopes)
        return AccessToken(f"token-{len(self.scopes)}", 2**40)

    async def close(self) -> None: ...

    async def __aenter__(self) -> "Identity":
        return self

    async def __aexit__(self, *_: object) -> None: ...


class Response:
    def __init__(self, status_code: int = 200) -> None:
        self.status_code = status_code

    headers = {"ETag": "e"}  # noqa: RUF012
    content = STORED
    reason = "why"


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


class OnTheWire:
    """What goes over the wire in place of it; `answers` are given in turn, the last of them to all that follow."""

    def __init__(self, *answers: Answer | None) -> None:
        self.answers = list(answers)
        self.requests: list[str] = []
        self.before_each: Callable[[], None] = lambda: None

    async def ask(self, _: Wire, request: bytes, _deadline: float) -> Answer:
        self.before_each()
        self.requests.append(request.decode())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise NoAnswerError("none")
        return answer

    def lines(self, number: int) -> dict[str, str]:
        """Of the head of a request, behind its first."""
        head = self.requests[number].split("\r\n\r\n")[0].split("\r\n")[1:]
        return dict(line.split(": ", 1) for line in head)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> OnTheWire:
    """It answers nothing, unless told otherwise."""
    wire = OnTheWire(None)

    async def ask(asked: Wire, request: bytes, deadline: float) -> Answer:
        return await wire.ask(asked, request, deadline)

    monkeypatch.setattr(Wire, "ask", ask)
    return wire


def requests_of(credential: Any, transport: Transport, query: str = "", timeout: float = TIMEOUT) -> EntityRequests:
    service = TableServiceClient(f"https://account.table.core.windows.net{query}", credential=credential)
    return EntityRequests(service, transport, {"retry_total": 1, "retry_backoff_factor": 0}, timeout)


@pytest.mark.usefixtures("wire")
async def test_a_token_is_sent_with_every_request() -> None:
    identity, transport = Identity(), Transport()
    requests = requests_of(KeptTokens(lambda: identity), transport)
    assert await requests.get("T", "p", "r") == ({"PartitionKey": "p", "RowKey": "r"}, "e")
    assert await requests.replace("T", {"PartitionKey": "p", "RowKey": "r"}, "e") == "e"
    assert set(identity.scopes) == {("https://storage.azure.com/.default",)}
    for request in transport.requests:
        assert request.url == "https://account.table.core.windows.net/T(PartitionKey='p',RowKey='r')"
        assert request.headers["Authorization"].startswith("Bearer token-")
    assert transport.requests[1].headers["If-Match"] == "e"


@pytest.mark.parametrize(
    ("credential", "query"),
    [
        (Identity(), ""),
        (KEY, ""),
        (AzureSasCredential("sig=x"), ""),
        (None, "?sig=x"),
    ],
    ids=["identity", "key", "SAS", "SAS in the address"],
)
async def test_every_attempt_is_dated_whatever_the_credential(
    credential: Any, query: str, wire: OnTheWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A date that is 15 minutes old is refused, so another attempt has another."""
    now = iter(range(0, 600, 60))
    for module in ("entity_requests", "signing"):
        monkeypatch.setattr(
            f"shared.adapters.tables.service.{module}.formatdate",
            lambda *_, usegmt: formatdate(next(now), usegmt=usegmt),
        )
    seconds = iter(range(1_000))
    monkeypatch.setattr(signing, "time", lambda: next(seconds))
    transport = Transport(503)
    requests = requests_of(credential, transport, query)
    await requests.get("T", "p", "r")
    await requests.insert("T", ROW)
    await requests.replace("T", ROW, "e")
    await requests.put("T", ROW)
    first = [wire.lines(number)["x-ms-date"] for number in range(4)]
    assert [parsedate_to_datetime(date).minute for date in (*first, *transport.dates)] == [0, 3, 5, 7, 1, 2, 4, 6, 8]
    assert all(date.endswith(" GMT") for date in transport.dates)


async def test_a_first_attempt_that_is_answered_is_the_only_one(wire: OnTheWire) -> None:
    transport = Transport()
    requests = requests_of(KEY, transport)
    wire.answers = [Answer(200, "e1", None, STORED), Answer(204, "e2", None, b"")]
    assert await requests.get("T", "p", "it's") == (ROW, "e1")
    assert await requests.insert("T", ROW) == "e2"
    assert await requests.replace("T", ROW, "e1") == "e2"
    await requests.put("T", ROW)
    await requests.delete("T", "p", "r", "e2")
    await requests.delete("T", "p", "r")
    assert [request.split("\r\n")[0] for request in wire.requests] == [
        "GET /T(PartitionKey='p',RowKey='it''s') HTTP/1.1",
        "POST /T HTTP/1.1",
        "PUT /T(PartitionKey='p',RowKey='r') HTTP/1.1",
        "PUT /T(PartitionKey='p',RowKey='r') HTTP/1.1",
        "DELETE /T(PartitionKey='p',RowKey='r') HTTP/1.1",
        "DELETE /T(PartitionKey='p',RowKey='r') HTTP/1.1",
    ]
    assert [wire.lines(number).get("If-Match") for number in range(6)] == [None, None, "e1", None, "e2", "*"]
    for number in (1, 2, 3):
        assert json.loads(wire.requests[number].split("\r\n\r\n")[1]) == ROW
        assert wire.lines(number)["Content-Length"] == str(len(wire.requests[number].split("\r\n\r\n")[1]))
    assert all(wire.lines(number)["Host"] == "account.table.core.windows.net" for number in range(4))
    assert transport.requests == []


@pytest.mark.parametrize(
    ("status", "error"), [(404, ResourceNotFoundError), (409, ResourceExistsError), (412, ResourceModifiedError)]
)
@pytest.mark.parametrize(
    ("code", "body"), [("Why", b""), (None, b'{"odata.error":{"code":"Why"}}')], ids=["in the head", "in the body"]
)
async def test_what_says_no_plainly_is_not_asked_again(
    status: int, error: type[HttpResponseError], code: str | None, body: bytes, wire: OnTheWire
) -> None:
    transport = Transport()
    wire.answers = [Answer(status, "", code, body)]
    with pytest.raises(error) as refused:
        await requests_of(KEY, transport).get("T", "p", "r")
    assert (refused.value.status_code, getattr(refused.value, "error_code", "")) == (status, "Why")
    assert transport.requests == []


@pytest.mark.parametrize(
    "answer", [None, *(Answer(status, "", None, b"") for status in (100, 301, 400, 403, 500, 503))]
)
async def test_all_else_goes_the_other_way(answer: Answer | None, wire: OnTheWire) -> None:
    transport = Transport()
    wire.answers = [answer]
    assert await requests_of(KEY, transport).replace("T", ROW, "e0") == "e"
    (request,) = transport.requests
    assert (request.method, request.headers["If-Match"], json.loads(request.content)) == ("PUT", "e0", ROW)


async def test_a_save_whose_answer_was_lost_is_a_conflict(wire: OnTheWire) -> None:
    """Whoever saved finds by reading that it was done; so nothing is saved twice, and nothing taken for not done."""
    transport = Transport(412)
    wire.answers = [None]
    with pytest.raises(ResourceModifiedError):
        await requests_of(KEY, transport).replace("T", ROW, "e0")


async def test_both_ways_together_take_no_longer_than_one_request_may(
    wire: OnTheWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadlines: list[float] = []
    transport = Transport()

    async def ask(_wire: Wire, _request: bytes, deadline: float) -> Answer:
        deadlines.append(deadline)
        raise NoAnswerError("in time")

    async def send(request: Any, **_: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(Wire, "ask", ask)
    monkeypatch.setattr(transport, "send", send)
    began = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        await requests_of(KEY, transport, timeout=0.03).get("T", "p", "r")
    assert deadlines[0] - began < asyncio.get_running_loop().time() - began


async def test_a_token_that_the_service_refuses_is_renewed(wire: OnTheWire) -> None:
    identity = Identity()
    requests = requests_of(KeptTokens(lambda: identity), Transport())
    wire.answers = [Answer(200, "e", None, STORED)]
    for _ in range(2):
        await requests.get("T", "p", "r")
    wire.answers = [Answer(401, "", None, b""), Answer(200, "e", None, STORED)]
    for _ in range(2):
        await requests.get("T", "p", "r")
    tokens = [wire.lines(number)["Authorization"].removeprefix("Bearer ") for number in range(4)]
    assert tokens[0] == tokens[1] == tokens[2] != tokens[3]


async def test_a_token_that_cannot_be_had_is_told_by_the_other_way(wire: OnTheWire) -> None:
    class NoIdentity(Identity):
        async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
            raise RuntimeError("no identity here")

    with pytest.raises(RuntimeError, match="no identity here"):
        await requests_of(NoIdentity(), Transport()).get("T", "p", "r")
    assert wire.requests == []


async def test_a_signature_may_be_updated_and_is_never_in_the_head(wire: OnTheWire) -> None:
    credential = AzureSasCredential("sig=one")
    requests = requests_of(credential, Transport())
    wire.answers = [Answer(200, "e", None, STORED)]
    await requests.get("T", "p", "r")
    credential.update("sig=two")
    await requests.get("T", "p", "r")
    assert ["?sig=one" in wire.requests[0], "?sig=two" in wire.requests[1]] == [True, True]
    assert "Authorization" not in wire.lines(1)
