"""The OpenAPI document: what FastAPI knows of the routes, and what holds for all of them."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from shared.web.guarded import PERMISSIONS
from shared.web.problems import MEDIA_TYPE, ProblemDetails

PATH = "/api/openapi.json"
TITLE = "Profile Relay"
VERSION = "1"
_DESCRIPTION = """\
Connects destinations, maps audiences and attributes, and shows what became of profile changes.

Every route says in `x-permissions` which app roles its caller needs. Errors are problem details (RFC 9457). Resources
have an ETag: send it back in `If-Match`, and a change is refused (412) if somebody else was faster.
"""
_PROBLEMS = {
    "400": "The request cannot be read",
    "401": "Nobody is signed in",
    "403": "An app role is missing, or a page of another site sent the request",
    "404": "There is no such thing",
    "409": "It does not go together with what there is, or somebody else changed it at the same moment",
    "412": "It has changed since it was read",
    "413": "The body is too large",
    "415": "The body has another media type than is expected",
    "422": "What was sent cannot be accepted: `errors` says which members, and what was expected",
    "503": "Azure Storage did not answer: try again",
}


def describe(app: FastAPI) -> None:
    """Serve the document of `app`."""
    document = openapi_of(app)

    async def serve(_request: object) -> JSONResponse:
        return JSONResponse(document)

    app.add_route(PATH, serve, include_in_schema=False)


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The document, the same for the same routes."""
    document = get_openapi(title=TITLE, version=VERSION, description=_DESCRIPTION, routes=app.routes)
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["ProblemDetails"] = ProblemDetails.model_json_schema()
    document["components"]["securitySchemes"] = {
        "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
        "entraId": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    }
    document["security"] = [{"functionKey": []}, {"entraId": []}]
    for operations in document["paths"].values():
        for operation in operations.values():
            if PERMISSIONS in operation:
                _complete(operation)
    return document


def _complete(operation: dict[str, Any]) -> None:
    operation.pop("x-accepts", None)
    operation["responses"].pop("422", None)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    for status, description in _PROBLEMS.items():
        operation["responses"].setdefault(status, {"description": description, "content": content})
