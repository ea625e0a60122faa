"""What is answered when a request cannot be carried out: problem details (RFC 9457), without any of what was sent."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

from shared.domain.problems import describe
from shared.errors import (
    BadContinuationError,
    ConfigurationError,
    ConflictError,
    ConnectionFailedError,
    InUseError,
    MessageTooLargeError,
    NoSecretStoreError,
    NotFoundError,
    PreconditionFailedError,
    RelayError,
    ResyncRefusedError,
    SecretError,
    SettingError,
    StorageError,
    TakenError,
    UploadError,
    UploadRefusedError,
    UploadTooLargeError,
)

MEDIA_TYPE = "application/problem+json"
_STATUS_OF: dict[type[RelayError], int] = {
    BadContinuationError: 422,
    ConflictError: 409,
    InUseError: 409,
    MessageTooLargeError: 409,
    NoSecretStoreError: 409,
    NotFoundError: 404,
    PreconditionFailedError: 412,
    ResyncRefusedError: 409,
    SecretError: 503,
    SettingError: 503,
    StorageError: 503,
    TakenError: 409,
    UploadRefusedError: 422,
    UploadTooLargeError: 413,
    UploadError: 409,
}
"""The first kind that an error is of counts."""
_RETRY_AFTER_SECONDS = "5"
_TITLES = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}
"""Of RFC 9110, where Python worded them otherwise before 3.13."""


class ProblemDetails(BaseModel):
    """The body of an answer that is no success (RFC 9457)."""

    title: str = Field(description="The meaning of the status code")
    status: int
    detail: str = Field(description="What is wrong, where, and what to do")
    errors: list[str] = Field(default_factory=list, description="A line for each field: /path/to/field: expected …")


class ProblemError(Exception):
    """Ends a request with `status` and `detail`; `errors` has a line for each field, `headers` go with the answer."""

    def __init__(
        self, status: int, detail: str, errors: Sequence[str] = (), headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = headers or {}


def title_of(status: int) -> str:
    """The same on each Python."""
    return _TITLES.get(status) or HTTPStatus(status).phrase


def problem_of(error: Exception) -> ProblemError:
    """The problem that tells of `error`; of one that nobody expected it tells nothing but that."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, ConfigurationError):
        errors = str(error).splitlines()
        return ProblemError(422, errors[0], errors)
    if isinstance(error, ConnectionFailedError):
        hubs = [f"the namespace has the hubs {', '.join(error.hubs)}"] if error.hubs else []
        return ProblemError(422, str(error), [f"{error.kind}: {error}", *hubs])
    if isinstance(error, RelayError):
        status = next((code for kind, code in _STATUS_OF.items() if isinstance(error, kind)), 500)
        headers = {"Retry-After": _RETRY_AFTER_SECONDS} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
        return ProblemError(status, str(error), headers=headers)
    if isinstance(error, (RequestValidationError, ValidationError)):
        errors = describe([_in_the_body(each) for each in cast("Sequence[Any]", error.errors())])
        return ProblemError(422, errors[0], errors)
    if isinstance(error, HTTPException):
        return ProblemError(error.status_code, str(error.detail), headers=dict(error.headers or {}))
    return ProblemError(500, "the app failed in a way that nobody expected: its log says how")


async def answer(_request: Request, error: Exception) -> JSONResponse:
    """The answer that tells of `error`."""
    problem = problem_of(error)
    content: dict[str, Any] = {
        "title": title_of(problem.status),
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.errors:
        content["errors"] = problem.errors
    return JSONResponse(content, problem.status, problem.headers, MEDIA_TYPE)


def _in_the_body(problem: dict[str, Any]) -> dict[str, Any]:
    """With the place as whoever wrote the body sees it."""
    location = problem["loc"]
    return problem | {"loc": location[1:] if location[:1] == ("body",) else location}
