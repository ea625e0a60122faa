"""Entity tags: a change is refused if what it changes is not what its author has seen (RFC 9110, section 13)."""

import hashlib

from fastapi import Request, Response
from pydantic import BaseModel

from shared.domain.jsonvalue import canonical_json
from shared.errors import PreconditionFailedError
from shared.services.configuration.edit import Check


def etag_of(what: BaseModel) -> str:
    """The same for the same content."""
    content = what.model_dump(mode="json", by_alias=True)
    return f'"{hashlib.sha256(canonical_json(content).encode()).hexdigest()[:32]}"'


def tagged(response: Response, what: BaseModel) -> None:
    """Give the answer the entity tag of what it shows."""
    response.headers["ETag"] = etag_of(what)


def as_shown(tag: str) -> Check:
    """Holds what is there against the tag that a page had in its form, "" where there was nothing: a form cannot send
    `If-Match`.
    """

    def check(there: BaseModel | None) -> None:
        if tag != ("" if there is None else etag_of(there)):
            raise PreconditionFailedError("somebody else changed it since you opened the page")

    return check


def if_matching(request: Request) -> Check:
    """Holds what is there against `If-Match` and `If-None-Match`."""
    wanted, unwanted = request.headers.get("if-match"), request.headers.get("if-none-match")

    def check(there: BaseModel | None) -> None:
        current = None if there is None else etag_of(there)
        if wanted is not None and not matches(wanted, current):
            raise PreconditionFailedError(
                "it has changed since you read it (If-Match): read it again, then decide anew"
            )
        if unwanted is not None and matches(unwanted, current):
            raise PreconditionFailedError(
                "it is there already (If-None-Match): read it, then send its ETag in If-Match to replace it"
            )

    return check


def matches(header: str, current: str | None) -> bool:
    """Whether what is there has one of the tags that a header names."""
    tags = {tag.strip() for tag in header.split(",")}
    return current is not None and ("*" in tags or current in tags)
