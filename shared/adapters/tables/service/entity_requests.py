"""The requests of a change's way to Table Storage: one row read, inserted, replaced, put or deleted.

The SDK's own client spends most of its time on what none of these needs: general serializers, a dozen policies, an HTTP
client that can do everything. Here the first attempt goes over a lean wire. What that is no plain answer to goes the
SDK's way: by azure-core's pipeline, with its retries and its transport, which the SDK's client shares.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

import orjson
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.core.pipeline import AsyncPipeline, PipelineRequest
from azure.core.pipeline.policies import (
    AsyncBearerTokenCredentialPolicy,
    AsyncRetryPolicy,
    AzureSasCredentialPolicy,
    SansIOHTTPPolicy,
)
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.data.tables.aio import TableServiceClient

from shared.adapters.identity import STORAGE_SCOPE
from shared.adapters.tables.service.row_json import decoded, encoded
from shared.adapters.tables.service.signing import signer_of
from shared.adapters.tables.service.wire import Answer, NoAnswerError, Wire

FIRST_ATTEMPT_SHARE = 1 / 3
"""Of the time for a request: what a first attempt without an answer leaves is enough for others."""
CONCURRENT_REQUESTS = 64
_HEADERS = {
    "Accept": "application/json;odata=minimalmetadata",
    "DataServiceVersion": "3.0",
    "x-ms-version": "2019-02-02",
}
_BODY_HEADERS = _HEADERS | {"Content-Type": "application/json", "Prefer": "return-no-content"}
_ERRORS: dict[int, type[HttpResponseError]] = {
    404: ResourceNotFoundError,
    409: ResourceExistsError,
    412: ResourceModifiedError,
}
_UNAUTHORIZED = 401


class EntityRequests:
    """Requests to the account of `service`, over `transport`; `retries` are options of azure-core's retry policy.

    Each ends within `timeout` seconds, all its attempts included; more than CONCURRENT_REQUESTS wait for their turn
    first, for a few large messages ask for thousands of rows at once. All raise AzureError or TimeoutError;
    HttpResponseError has the service's `error_code`.
    """

    def __init__(
        self,
        service: TableServiceClient,
        transport: "AsyncHttpTransport[HttpRequest, AsyncHttpResponse]",
        retries: Mapping[str, Any],
        timeout: float,
    ) -> None:
        address, _, query = service.url.partition("?")
        parts = urlsplit(address.rstrip("/"))
        self._origin, self._path = f"{parts.scheme}://{parts.netloc}", parts.path
        self._query = f"?{query}" if query else ""
        self._timeout = timeout
        self._turns = asyncio.Semaphore(CONCURRENT_REQUESTS)
        self._wire = Wire(self._origin)
        self._signer = signer_of(service.credential, self._query)
        self._head, self._body_head = (_head(self._wire.host, each) for each in (_HEADERS, _BODY_HEADERS))
        policies = [AsyncRetryPolicy(**retries), _DatePolicy(), *_authentication(service.credential)]
        self._pipeline = AsyncPipeline(transport, policies)

    async def close(self) -> None:
        """The transport is not this one's to close."""
        await self._wire.close()

    async def get(self, table: str, partition_key: str, row_key: str) -> tuple[dict[str, Any], str]:
        """The row's properties, with "Timestamp" among them, and its etag."""
        answer = await self._send("GET", self._row(table, partition_key, row_key))
        return decoded(answer.body), answer.etag

    async def insert(self, table: str, properties: Mapping[str, Any]) -> str:
        """Add a row; its etag."""
        return (await self._send("POST", f"{self._path}/{table}", properties)).etag

    async def replace(self, table: str, properties: Mapping[str, Any], etag: str) -> str:
        """Replace the row that has this etag; its new one."""
        row = self._row(table, properties["PartitionKey"], properties["RowKey"])
        return (await self._send("PUT", row, properties, etag)).etag

    async def put(self, table: str, properties: Mapping[str, Any]) -> None:
        """Insert or replace, whatever is there."""
        await self._send("PUT", self._row(table, properties["PartitionKey"], properties["RowKey"]), properties)

    async def delete(self, table: str, partition_key: str, row_key: str, etag: str | None = None) -> None:
        """Delete the row that has this etag, or whatever is there."""
        await self._send("DELETE", self._row(table, partition_key, row_key), etag=etag or "*")

    def _row(self, table: str, partition_key: str, row_key: str) -> str:
        return f"{self._path}/{table}(PartitionKey='{_quoted(partition_key)}',RowKey='{_quoted(row_key)}')"

    async def _send(
        self, method: str, path: str, properties: Mapping[str, Any] | None = None, etag: str | None = None
    ) -> Answer:
        content = None if properties is None else encoded(properties)
        async with self._turns:
            began = asyncio.get_running_loop().time()
            answer = await self._first_attempt(method, path, content, etag, began + self._timeout * FIRST_ATTEMPT_SHARE)
            if answer is not None and 200 <= answer.status < 300:
                return answer
            if answer is not None and answer.status in _ERRORS:
                _refuse(answer)
            async with asyncio.timeout_at(began + self._timeout):
                return await self._by_pipeline(method, path, content, etag)

    async def _first_attempt(
        self, method: str, path: str, content: bytes | None, etag: str | None, deadline: float
    ) -> Answer | None:
        """None where it had no answer."""
        try:
            signed = await self._signer.head(path, deadline)
        except Exception:  # whatever is wrong with the credential, the other way tells
            return None
        start = f"{method} {path}{self._signer.query} HTTP/1.1\r\n"
        match = "" if etag is None else f"If-Match: {etag}\r\n"
        if content is None:
            request = f"{start}{self._head}{match}{signed}\r\n".encode()
        else:
            head = f"{start}{self._body_head}{match}{signed}Content-Length: {len(content)}\r\n\r\n"
            request = head.encode() + content
        try:
            answer = await self._wire.ask(request, deadline)
        except NoAnswerError:
            return None
        if answer.status == _UNAUTHORIZED:
            self._signer.refused()
        return answer

    async def _by_pipeline(self, method: str, path: str, content: bytes | None, etag: str | None) -> Answer:
        headers = dict(_HEADERS if content is None else _BODY_HEADERS) | ({} if etag is None else {"If-Match": etag})
        request = HttpRequest(method, self._origin + path + self._query, headers=headers, content=content)
        response: AsyncHttpResponse = (await self._pipeline.run(request)).http_response
        if response.status_code >= 400:
            _raise(response)
        return Answer(response.status_code, response.headers.get("ETag", ""), None, response.content)


def _head(host: str, headers: Mapping[str, str]) -> str:
    return f"Host: {host}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def _authentication(credential: Any) -> list[Any]:
    if isinstance(credential, AzureNamedKeyCredential):
        return [_SharedKeyPolicy(credential.named_key.name, base64.b64decode(credential.named_key.key))]
    if isinstance(credential, AzureSasCredential):
        return [AzureSasCredentialPolicy(credential)]
    if credential is None:  # the address itself has a SAS token
        return []
    return [AsyncBearerTokenCredentialPolicy(credential, STORAGE_SCOPE)]


class _DatePolicy(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Dates each attempt: the service asks for it whatever the credential, and a key signs it."""

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        request.http_request.headers["x-ms-date"] = formatdate(usegmt=True)


class _SharedKeyPolicy(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Signs each attempt by Shared Key Lite for the Table service."""

    def __init__(self, account: str, key: bytes) -> None:
        self._account = account
        self._key = key

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        sent = request.http_request
        signed = f"{sent.headers['x-ms-date']}\n/{self._account}{urlsplit(sent.url).path}"
        signature = base64.b64encode(hmac.digest(self._key, signed.encode(), hashlib.sha256)).decode()
        sent.headers["Authorization"] = f"SharedKeyLite {self._account}:{signature}"


def _refuse(answer: Answer) -> NoReturn:
    error = _ERRORS[answer.status](f"HTTP {answer.status} {answer.error_code}")
    error.status_code = answer.status
    _explain(error, answer.error_code, answer.body)
    raise error


def _raise(response: AsyncHttpResponse) -> NoReturn:
    error = _ERRORS.get(response.status_code, HttpResponseError)(response=response)
    _explain(error, response.headers.get("x-ms-error-code"), response.content)
    raise error


def _explain(error: Any, code: str | None, body: bytes) -> None:
    error.error_code = code
    if code is None:
        with contextlib.suppress(ValueError, LookupError, TypeError):
            error.error_code = orjson.loads(body)["odata.error"]["code"]


def _quoted(key: str) -> str:
    """As the transport would write it, too: what is signed must be what is sent."""
    if key.isascii() and key.isalnum():
        return key
    return quote(key.replace("'", "''"), safe="!$&'()*+,;=:@~")
