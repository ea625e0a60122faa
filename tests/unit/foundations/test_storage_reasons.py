"""What storage did not do is told in one line, with its status and code."""

from types import SimpleNamespace

import pytest
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError

from shared.adapters.storage_reasons import reason_of


def answered(status: int, headers: dict[str, str]) -> HttpResponseError:
    error = HttpResponseError("The server is busy.\nRequestId:1\nTime:2026-01-01")
    error.status_code, error.reason = status, "Server Busy"
    error.response = SimpleNamespace(headers=headers)
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (answered(503, {"x-ms-error-code": "ServerBusy"}), "HTTP 503 ServerBusy"),
        (answered(503, {}), "HTTP 503 Server Busy"),
        (HttpResponseError("not decoded"), "not decoded"),
        (ServiceRequestError("no route\nto the host "), "no route to the host"),
        (AzureError(""), ""),
    ],
)
def test_a_reason_is_one_line_with_the_code(error: AzureError, reason: str) -> None:
    assert reason_of(error) == reason
