"""What the Functions host does around a worker: trigger data into messages, responses into JSON."""

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .messages import InvocationResponse, ParameterBinding, RpcHttp, StatusResult, TypedData

Json = dict[str, Any]


class UnsupportedTriggerError(Exception):
    """The host could not deliver this: no such trigger here, or data that this trigger cannot carry."""


def trigger_input(bindings: list[Json], trigger: Json) -> tuple[ParameterBinding, dict[str, TypedData]]:
    """The argument and the trigger metadata with which the host would invoke a function that has these bindings."""
    binding = next((each for each in bindings if each["type"] in _ENCODERS), None)
    if binding is None:
        raise UnsupportedTriggerError(f"none of {[each['type'] for each in bindings]} is one of {sorted(_ENCODERS)}")
    data, metadata = _ENCODERS[binding["type"]](binding, trigger)
    return ParameterBinding(name=binding["name"], data=data), metadata


def _queue_message(binding: Json, trigger: Json) -> tuple[TypedData, dict[str, TypedData]]:
    body = base64.b64decode(trigger["body"], validate=True)
    if binding.get("dataType") == "BINARY":
        data = TypedData(bytes=body)
    else:
        try:
            data = TypedData(string=body.decode())
        except UnicodeDecodeError as error:
            raise UnsupportedTriggerError("a queue message whose binding is not binary must be UTF-8 text") from error
    metadata = {"Id": TypedData(string=trigger["id"]), "QueueTrigger": data}
    if "popReceipt" in trigger:
        metadata["PopReceipt"] = TypedData(string=trigger["popReceipt"])
    # The host has no field for numbers and instants: it sends them as JSON.
    for name in ("dequeueCount", "insertionTime", "expirationTime", "nextVisibleTime"):
        if name in trigger:
            metadata[name[0].upper() + name[1:]] = TypedData(json=json.dumps(trigger[name]))
    return data, metadata


def _timer_request(_binding: Json, trigger: Json) -> tuple[TypedData, dict[str, TypedData]]:
    request = {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": trigger.get("scheduleStatus"),
        "IsPastDue": trigger.get("isPastDue", False),
    }
    return TypedData(json=json.dumps(request)), {}


def _http_request(_binding: Json, trigger: Json) -> tuple[TypedData, dict[str, TypedData]]:
    body = base64.b64decode(trigger.get("body", ""), validate=True)
    request = RpcHttp(
        method=trigger["method"],
        url=trigger["url"],
        headers={name.lower(): value for name, value in trigger.get("headers", {}).items()},
        params=trigger.get("params", {}),
        query=dict(parse_qsl(urlsplit(trigger["url"]).query)),
        body=TypedData(bytes=body) if body else TypedData(),
    )
    return TypedData(http=request), {}


_ENCODERS = {"queueTrigger": _queue_message, "timerTrigger": _timer_request, "httpTrigger": _http_request}


def status_as_json(result: StatusResult) -> Json:
    exception = result.exception
    return {
        "status": "success" if result.status == StatusResult.Success else "failure",
        "exception": exception and {"message": exception.message, "stackTrace": exception.stack_trace},
    }


def response_as_json(response: InvocationResponse) -> Json:
    return {
        **status_as_json(response.result),
        "returnValue": _data_as_json(response.return_value),
        "outputs": {output.name: _data_as_json(output.data) for output in response.output_data},
    }


def _data_as_json(data: TypedData | None) -> Json | None:
    kind = None if data is None else data.WhichOneof("data")
    if kind is None:
        return None
    value = getattr(data, kind)
    if isinstance(value, bytes):
        value = base64.b64encode(value).decode()
    if isinstance(value, RpcHttp):
        value = _http_response_as_json(value)
    return {kind: value}


def _http_response_as_json(response: RpcHttp) -> Json:
    return {
        "status": int(response.status_code),
        "headers": {name.lower(): value for name, value in response.headers.items()},
        "cookies": {cookie.name: cookie.value for cookie in response.cookies or []},
        "body": _data_as_json(response.body),
    }
