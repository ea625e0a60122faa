"""What storage did not do is told in one line, with its status and code."""

from types import SimpleNamespace

import pytest
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError

from shared.adapters.kept_tokens import SignInError
from shared.adapters.storage_reasons import reason_of, storage_error
from shared.errors import StorageError, StorageSignInError


def answered(status: int, headers: dict[str, str], authorization: str = "") -> HttpResponseError:
    error = HttpResponseError("The server is busy.\nRequestId:1\nTime:2026-01-01")
    error.status_code, error.reason = status, "Server Busy"
    error.response = SimpleNamespace(headers=headers, request=SimpleNamespace(headers={"Authorization": authorization}))
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


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (SignInError("sign-in fails since noon"), StorageSignInError, "sign-in fails since noon"),
        (answered(401, {}, "Bearer x"), StorageSignInError, "HTTP 401 Server Busy: it takes no token of the app's"),
        (answered(401, {}, "SharedKeyLite a:b"), StorageError, "HTTP 401 Server Busy"),
        (answered(403, {}, "Bearer x"), StorageError, "HTTP 403 Server Busy"),
    ],
)
def test_want_of_a_token_is_no_fault_of_storage(error: AzureError, kind: type[StorageError], words: str) -> None:
    told = storage_error("table T: could not read", error)
    assert type(told) is kind
    assert str(told).startswith(f"table T: could not read: {words}")
