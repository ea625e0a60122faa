"""The OpenAPI document: what FastAPI knows of the routes, and what holds for all of them."""

from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from shared.web.problems import MEDIA_TYPE, ProblemDetails

PATH = "/api/openapi.json"
TITLE = "Profile Relay"
VERSION = "1"
_DESCRIPTION = """\
Connects destinations, maps audiences and attributes, and shows what became of profile changes.

Every route says in `x-permissions` which app roles its caller needs. Errors are problem details (RFC 9457). Resources
have an ETag: send it back in `If-Match`, and a change is refused (412) if somebody else was faster.
"""
_PROBLEM = {
    "description": "The request was not carried out: the body says why, and what to do",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
}
_PRECONDITIONS = [
    {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": description}
    for name, description in (
        ("If-Match", "The ETag that was read: refused (412) if it is another by now"),
        ("If-None-Match", "`*`: refused (412) if there is something already"),
    )
]


def describe(app: FastAPI) -> None:
    """Serve the document of `app`."""

    @cache  # not when the app is made: most workers are never asked for it
    def document() -> dict[str, Any]:
        return openapi_of(app)

    async def serve(_request: object) -> JSONResponse:
        return JSONResponse(document())

    app.add_route(PATH, serve, include_in_schema=False)


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The document, the same for the same routes."""
    document = get_openapi(
        title=TITLE, version=VERSION, description=_DESCRIPTION, routes=app.routes, separate_input_output_schemas=False
    )
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["ProblemDetails"] = ProblemDetails.model_json_schema()
    document["components"]["responses"] = {"Problem": _PROBLEM}
    document["components"]["securitySchemes"] = {
        "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
        "entraId": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    }
    document["security"] = [{"functionKey": []}, {"entraId": []}]
    for operations in document["paths"].values():
        for operation in operations.values():
            _complete(operation)
    return document


def _complete(operation: dict[str, Any]) -> None:
    for internal in ("x-accepts", "x-largest", "x-noted"):
        operation.pop(internal)
    if operation.pop("x-preconditions"):
        operation["parameters"] = [*operation.get("parameters", ()), *_PRECONDITIONS]
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
