"""One function of each kind the product uses; each tells what reached it."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
registered_later = func.Blueprint()  # type: ignore[no-untyped-call]  # in the library


@app.function_name("echo_message")
@app.queue_trigger(arg_name="message", queue_name="%QUEUE%", connection="STORAGE")
@app.queue_output(arg_name="echo", queue_name="%ECHO_QUEUE%", connection="STORAGE")
async def echo_message(message: func.QueueMessage, echo: func.Out[str]) -> None:
    print("printed by the app")
    inserted = message.insertion_time
    received = {
        "type": type(message).__name__,
        "body": base64.b64encode(message.get_body()).decode(),
        "id": message.id,
        "dequeueCount": message.dequeue_count,
        "popReceipt": message.pop_receipt,
        "insertionTime": inserted and inserted.isoformat(),
    }
    echo.set(json.dumps(received))


@app.function_name("refuse_message")
@app.queue_trigger(arg_name="message", queue_name="%REFUSED_QUEUE%", connection="STORAGE")
async def refuse_message(message: func.QueueMessage) -> None:
    raise ValueError(f"refused {message.id}: größer als erlaubt")


@registered_later.function_name("every_minute")
@registered_later.timer_trigger(arg_name="timer", schedule="0 * * * * *", run_on_startup=False, use_monitor=True)
@registered_later.queue_output(arg_name="echo", queue_name="%ECHO_QUEUE%", connection="STORAGE")
async def every_minute(timer: func.TimerRequest, echo: func.Out[str]) -> None:
    echo.set(json.dumps({"pastDue": timer.past_due}))


async def greet(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """An ASGI application, as small as they come."""
    request = await receive()
    seen = {
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode(),
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        "body": request["body"].decode(),
    }
    headers = [(b"content-type", b"application/json"), (b"set-cookie", b"a=1; HttpOnly"), (b"set-cookie", b"b=2")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


@app.function_name("web")
@app.route(route="{*path}", auth_level=func.AuthLevel.ANONYMOUS)
async def web(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    middleware = func.AsgiMiddleware(greet)  # type: ignore[no-untyped-call]  # in the library
    response: func.HttpResponse = await middleware.handle_async(req, context)
    return response


app.register_functions(registered_later)
