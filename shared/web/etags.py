"""Entity tags: a change is refused if what it changes is not what its author has seen (RFC 9110, section 13)."""

import hashlib
from typing import Any

from fastapi import Request
from pydantic import BaseModel

from shared.domain.jsonvalue import canonical_json
from shared.web.problems import ProblemError


def etag_of(what: BaseModel | Any) -> str:
    """The same for the same content."""
    content = what.model_dump(mode="json", by_alias=True) if isinstance(what, BaseModel) else what
    return f'"{hashlib.sha256(canonical_json(content).encode()).hexdigest()[:32]}"'


def expect_tag(request: Request, tag: str) -> None:
    """Hold this request to the tag of what a page showed: a form cannot send `If-Match`."""
    request.state.expected_tag = tag


def check_preconditions(request: Request, current: str | None) -> None:
    """Hold `If-Match` and `If-None-Match` against the resource's tag, None where there is no resource; and what
    `expect_tag` said.

    Raises ProblemError (412).
    """
    if getattr(request.state, "expected_tag", current) != current:
        raise ProblemError(412, "somebody else changed it since you opened the page")
    if (wanted := request.headers.get("if-match")) is not None and not _matches(wanted, current):
        raise ProblemError(412, "it has changed since you read it (If-Match): read it again, then decide anew")
    if (unwanted := request.headers.get("if-none-match")) is not None and _matches(unwanted, current):
        raise ProblemError(
            412, "it is there already (If-None-Match): read it, then send its ETag in If-Match to replace it"
        )


def _matches(header: str, current: str | None) -> bool:
    tags = {tag.strip() for tag in header.split(",")}
    return current is not None and ("*" in tags or current in tags)
