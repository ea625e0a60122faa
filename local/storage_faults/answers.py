"""Errors as Azure's blobs, queues and tables word them."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from local.storage_faults.rules import ErrorStatus, Service

_ERRORS: Mapping[ErrorStatus, tuple[str, str]] = {
    403: ("AuthorizationFailure", "This request is not authorized to perform this operation."),
    412: ("ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."),
    429: ("TooManyRequests", "The request is being throttled."),
    500: ("InternalError", "Server encountered an internal error. Please try again after some time."),
    503: ("ServerBusy", "The server is busy."),
}
_TABLE_ERRORS: Mapping[ErrorStatus, tuple[str, str]] = {
    412: ("UpdateConditionNotSatisfied", "The update condition specified in the request was not satisfied."),
}


def error_answer(service: Service, status: ErrorStatus, method: str) -> bytes:
    """A whole HTTP response, after which the connection stays open."""
    code, message = _TABLE_ERRORS.get(status, _ERRORS[status]) if service == "table" else _ERRORS[status]
    request_id = uuid.uuid4()
    text = f"{message}\nRequestId:{request_id}\nTime:{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
    if service == "table":
        content_type = "application/json;odata=minimalmetadata;streaming=true;charset=utf-8"
        body = json.dumps({"odata.error": {"code": code, "message": {"lang": "en-US", "value": text}}})
    else:
        content_type = "application/xml"
        body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{text}</Message></Error>'
    head = (
        f"HTTP/1.1 {status} {code}\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"x-ms-error-code: {code}\r\n"
        f"x-ms-request-id: {request_id}\r\n"
        "\r\n"
    )
    return (head if method == "HEAD" else head + body).encode()
