"""The requests of a change's way to Table Storage: one row read, inserted, replaced or put.

The SDK's own client spends half of its time on what none of these needs: general serializers and a dozen policies.
These are sent by azure-core's pipeline, with its retries and its transport, which the SDK's client shares.
"""

import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from email.utils import formatdate
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

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
from azure.data.tables import EdmType, EntityProperty
from azure.data.tables.aio import TableServiceClient

_AUDIENCE = "https://storage.azure.com/.default"
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


class EntityRequests:
    """Requests to the account of `service`, over `transport`; `retries` are options of azure-core's retry policy.

    All of them raise AzureError; HttpResponseError has the service's `error_code`.
    """

    def __init__(
        self,
        service: TableServiceClient,
        transport: "AsyncHttpTransport[HttpRequest, AsyncHttpResponse]",
        retries: Mapping[str, Any],
    ) -> None:
        address, _, query = service.url.partition("?")
        self._address = address.rstrip("/")
        self._query = f"?{query}" if query else ""
        policies = [AsyncRetryPolicy(**retries), _DatePolicy(), *_authentication(service.credential)]
        self._pipeline = AsyncPipeline(transport, policies)

    async def get(self, table: str, partition_key: str, row_key: str) -> tuple[dict[str, Any], str]:
        """The row's properties, with "Timestamp" among them, and its etag."""
        response = await self._send("GET", self._row(table, partition_key, row_key), _HEADERS)
        return _decoded(json.loads(response.content)), response.headers["ETag"]

    async def insert(self, table: str, properties: Mapping[str, Any]) -> str:
        """Add a row; its etag."""
        response = await self._send("POST", f"{self._address}/{table}", _BODY_HEADERS, properties)
        return response.headers["ETag"]

    async def replace(self, table: str, properties: Mapping[str, Any], etag: str) -> str:
        """Replace the row that has this etag; its new one."""
        row = self._row(table, properties["PartitionKey"], properties["RowKey"])
        response = await self._send("PUT", row, _BODY_HEADERS | {"If-Match": etag}, properties)
        return response.headers["ETag"]

    async def put(self, table: str, properties: Mapping[str, Any]) -> None:
        """Insert or replace, whatever is there."""
        row = self._row(table, properties["PartitionKey"], properties["RowKey"])
        await self._send("PUT", row, _BODY_HEADERS, properties)

    def _row(self, table: str, partition_key: str, row_key: str) -> str:
        return f"{self._address}/{table}(PartitionKey='{_quoted(partition_key)}',RowKey='{_quoted(row_key)}')"

    async def _send(
        self, method: str, url: str, headers: dict[str, str], properties: Mapping[str, Any] | None = None
    ) -> AsyncHttpResponse:
        content = None if properties is None else json.dumps(_encoded(properties), separators=(",", ":")).encode()
        request = HttpRequest(method, url + self._query, headers=headers, content=content)
        response: AsyncHttpResponse = (await self._pipeline.run(request)).http_response
        if response.status_code >= 400:
            _raise(response)
        return response


def _authentication(credential: Any) -> list[Any]:
    if isinstance(credential, AzureNamedKeyCredential):
        return [_SharedKeyPolicy(credential.named_key.name, base64.b64decode(credential.named_key.key))]
    if isinstance(credential, AzureSasCredential):
        return [AzureSasCredentialPolicy(credential)]
    if credential is None:  # the address itself has a SAS token
        return []
    return [AsyncBearerTokenCredentialPolicy(credential, _AUDIENCE)]


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


def _raise(response: AsyncHttpResponse) -> NoReturn:
    error: Any = _ERRORS.get(response.status_code, HttpResponseError)(response=response)
    error.error_code = response.headers.get("x-ms-error-code")
    if error.error_code is None:
        with contextlib.suppress(ValueError, LookupError, TypeError):
            error.error_code = json.loads(response.content)["odata.error"]["code"]
    raise error


def _quoted(key: str) -> str:
    """As the transport would write it, too: what is signed must be what is sent."""
    return quote(key.replace("'", "''"), safe="!$&'()*+,;=:@~")


def _encoded(properties: Mapping[str, Any]) -> dict[str, Any]:
    encoded: dict[str, Any] = {}
    for name, value in properties.items():
        if isinstance(value, bytes):
            encoded[f"{name}@odata.type"] = "Edm.Binary"
            encoded[name] = base64.b64encode(value).decode()
        elif isinstance(value, EntityProperty):
            if value.edm_type == EdmType.INT64:
                encoded[f"{name}@odata.type"] = "Edm.Int64"
                encoded[name] = str(value.value)
            else:
                encoded[name] = value.value
        else:
            encoded[name] = value
    return encoded


def _decoded(entity: dict[str, Any]) -> dict[str, Any]:
    decoded: dict[str, Any] = {}
    for name, value in entity.items():
        if "odata." in name:
            continue
        kind = entity.get(f"{name}@odata.type")
        if kind == "Edm.Binary":
            value = base64.b64decode(value)
        elif kind == "Edm.Int64":
            value = EntityProperty(int(value), EdmType.INT64)
        elif kind == "Edm.DateTime" or name == "Timestamp":
            value = datetime.fromisoformat(value)
        decoded[name] = value
    return decoded
