"""A function app that tells what of a request reached it, and answers as it is asked to.

It stands alone: a test, or who records a real host's answers (`tests.kit.http_requests`), copies it into a folder as
function_app.py.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def _told(request: func.HttpRequest) -> func.HttpResponse:
    told = {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers.items()),
        "params": dict(request.params),
        "route": dict(request.route_params),
        "body": request.get_body().decode("latin-1"),
    }
    return func.HttpResponse(json.dumps(told), mimetype="application/json")


@app.route("echo/{*rest}")
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return _told(req)


# The host tries routes by the names of their functions: `item` comes before `new_item`, which is never reached.
@app.route("items/{id}", methods=["GET", "POST"])
async def item(req: func.HttpRequest) -> func.HttpResponse:
    return _told(req)


@app.route("items/new", methods=["GET"])
async def new_item(req: func.HttpRequest) -> str:
    return "never reached"


@app.route("pages/new", methods=["GET"])
async def a_new_page(req: func.HttpRequest) -> str:
    return "reached"


@app.route("pages/{*rest}", methods=["GET"])
async def pages(req: func.HttpRequest) -> func.HttpResponse:
    return _told(req)


@app.route("answer")
async def answer(req: func.HttpRequest) -> func.HttpResponse:
    wanted = req.get_json()
    made_of = {name: wanted[name] for name in ("mimetype", "charset") if name in wanted}
    response = func.HttpResponse(wanted.get("body"), status_code=wanted.get("status", 200), **made_of)
    for name, value in wanted.get("headers", []):
        response.headers.add(name, value)
    return response


@app.route("plain")
async def plain(req: func.HttpRequest) -> str:
    return "plain text: ü"


@app.route("nothing")
async def nothing(req):  # type: ignore[no-untyped-def]  # the worker loads no HTTP function that says it returns None
    pass


@app.route("broken")
async def broken(req: func.HttpRequest) -> str:
    raise ValueError("not for the caller")


@app.route("keyed", auth_level=func.AuthLevel.FUNCTION)
async def keyed(req: func.HttpRequest) -> str:
    return "opened"


async def _asgi(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    told = {
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode("latin-1"),
        "headers": sorted([name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]),
        "server": scope["server"],
        "scheme": scope["scheme"],
        "body": (await receive())["body"].decode("latin-1"),
    }
    body = json.dumps(told).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@app.route("asgi/{*path}")
async def asgi(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    response: func.HttpResponse = await func.AsgiMiddleware(_asgi).handle_async(req, context)  # type: ignore[no-untyped-call]
    return response
