"""Index and invoke a function app through Microsoft's own worker library, as the Functions host would.

    python3.13 -m conformance.worker APP_DIRECTORY [INVOCATIONS]      (the directory `tests` on PYTHONPATH)

INVOCATIONS is a file, standard input by default: a JSON list of {"function": name, "trigger": {...}}, where a trigger
is one of
    queue  {"body": base64, "id": text, "dequeueCount": n, "popReceipt": text,
            "insertionTime", "expirationTime", "nextVisibleTime": ISO 8601}    (body and id are required)
    timer  {"isPastDue": bool, "scheduleStatus": {...}}                         (all optional)
    HTTP   {"method": text, "url": text, "headers": {...}, "params": {...}, "body": base64}  (method, url required)

Prints one JSON line per step: `init`, `index`, a `load` per function, an `invoke` per invocation, in this order. A
function that raises is a result. The app not being indexed, and an invocation no host would send, end the program with
status 1 and the reason on standard error.
"""

import argparse
import asyncio
import importlib
import json
import logging
import os
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from . import messages
from .host import Json, UnsupportedTriggerError, response_as_json, status_as_json, trigger_input

Report = Callable[[Json], None]


class NotConformingError(Exception):
    """The app cannot be hosted; the message says why."""


class Worker:
    """The worker library with one app."""

    def __init__(self, app_directory: Path, report: Report) -> None:
        self._library: Any = importlib.import_module("azure_functions_runtime")
        self._app_directory = app_directory
        self._report = report
        self._functions: dict[str, messages.RpcFunctionMetadata] = {}

    async def start(self) -> None:
        """Index the app and load its functions."""
        self._library.start_threadpool_executor()
        request = SimpleNamespace(capabilities={}, function_app_directory=str(self._app_directory))
        response = await self._ask("worker_init_request", request)
        self._require_success("init", response.result, capabilities=dict(response.capabilities))
        await self._index()
        for function in self._functions.values():
            load = SimpleNamespace(function_id=function.function_id)
            response = await self._ask("function_load_request", load)
            self._require_success("load", response.result, function=function.name)

    def stop(self) -> None:
        self._library.stop_threadpool_executor()

    async def invoke(self, name: str, trigger: Json) -> None:
        if name not in self._functions:
            raise NotConformingError(f"there is no function {name!r}, only {sorted(self._functions)}")
        function = self._functions[name]
        argument, metadata = trigger_input(_bindings(function), trigger)
        request = SimpleNamespace(
            invocation_id=str(uuid.uuid4()),
            function_id=function.function_id,
            input_data=[argument],
            trigger_metadata=metadata,
            trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
            retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
        )
        response = await self._ask("invocation_request", request)
        self._report({"step": "invoke", "function": name, **response_as_json(response)})

    async def _index(self) -> None:
        response = await self._ask("functions_metadata_request", SimpleNamespace())
        # The library counts an app without functions, and a directory without an app, as successes.
        functions = response.function_metadata_results or []
        described = [{"name": each.name, "bindings": _bindings(each)} for each in functions]
        self._require_success("index", response.result, functions=described)
        if not functions:
            raise NotConformingError(f"index: no functions were found in {self._app_directory}")
        self._functions = {each.name: each for each in functions}

    async def _ask(self, kind: str, request: SimpleNamespace) -> Any:
        envelope = SimpleNamespace(
            request=SimpleNamespace(**{kind: request}),
            properties={"host": "127.0.0.1", "protos": messages},
        )
        return await getattr(self._library, kind)(envelope)

    def _require_success(self, step: str, result: messages.StatusResult, **details: Any) -> None:
        self._report({"step": step, **status_as_json(result), **details})
        if result.status != messages.StatusResult.Success:
            cause = result.exception
            raise NotConformingError(f"{step}: {cause.message}\n{cause.stack_trace}" if cause else step)


def _bindings(function: messages.RpcFunctionMetadata) -> list[Json]:
    return [json.loads(binding) for binding in function.raw_bindings]


async def run(app_directory: Path, invocations: list[Json], report: Report) -> None:
    worker = Worker(app_directory, report)
    try:
        await worker.start()
        for invocation in invocations:
            await worker.invoke(invocation["function"], invocation["trigger"])
    finally:
        worker.stop()


def _reporter() -> Report:
    """Keep standard output for the results: whatever the app prints goes to standard error."""
    results: IO[str] = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def report(line: Json) -> None:
        print(json.dumps(line), file=results, flush=True)

    return report


def _see_only(app_directory: Path) -> None:
    """Let imports find the app and installed packages, but nothing of this checkout which a deployment would lack."""
    own_root = Path(__file__).resolve().parents[1]
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != own_root]
    sys.path.insert(0, str(app_directory))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("app_directory", type=Path)
    parser.add_argument("invocations", type=argparse.FileType(encoding="utf-8"), nargs="?", default=sys.stdin)
    arguments = parser.parse_args()
    app_directory: Path = arguments.app_directory.resolve()
    invocations = json.load(arguments.invocations)
    report = _reporter()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    _see_only(app_directory)
    os.chdir(app_directory)
    try:
        asyncio.run(run(app_directory, invocations, report))
    except (NotConformingError, UnsupportedTriggerError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
