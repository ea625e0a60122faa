"""Runs an app under the worker library in a process of its own, and reads what became of it."""

import base64
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

TESTS = Path(__file__).resolve().parents[1]
TIMEOUT_SECONDS = 120.0

# Whatever else is set here must not reach the app, which gets its settings from the test alone.
INHERITED_VARIABLES = ("HOME", "LANG", "PATH", "TMPDIR")


class WorkerFailedError(Exception):
    """The app could not be indexed, or an invocation was impossible; the message is all the worker said."""


@dataclass(frozen=True)
class Invocation:
    function: str
    trigger: Mapping[str, Any]

    @classmethod
    def of_queue_message(cls, function: str, body: bytes, *, id: str, **metadata: Any) -> "Invocation":  # noqa: A002
        return cls(function, {"body": base64.b64encode(body).decode(), "id": id, **metadata})


@dataclass(frozen=True)
class InvocationResult:
    function: str
    succeeded: bool
    exception: str | None
    return_value: Any
    outputs: Mapping[str, Any]


@dataclass(frozen=True)
class WorkerRun:
    """`functions` has each function's bindings, as they would stand in a function.json."""

    functions: Mapping[str, list[dict[str, Any]]]
    invocations: list[InvocationResult]


class RunWorker(Protocol):
    def __call__(
        self, app_directory: Path, env: Mapping[str, str] = ..., invocations: Sequence[Invocation] = ...
    ) -> WorkerRun: ...


def run_worker(
    python: Path, app_directory: Path, env: Mapping[str, str] | None = None, invocations: Sequence[Invocation] = ()
) -> WorkerRun:
    """Index the app and then run the invocations in their order, all in one worker process.

    `env` has the app settings. A function that raises is a result; `WorkerFailedError` means that a host could not
    have run the app at all.
    """
    inherited = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
    done = subprocess.run(
        [python, "-P", "-m", f"{Path(__file__).parent.name}.worker", app_directory],
        input=json.dumps([{"function": each.function, "trigger": dict(each.trigger)} for each in invocations]),
        env={**inherited, "FUNCTIONS_WORKER_RUNTIME": "python", **(env or {}), "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    if done.returncode != 0:
        raise WorkerFailedError(done.stderr)
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    index = next(step for step in steps if step["step"] == "index")
    return WorkerRun(
        functions={function["name"]: function["bindings"] for function in index["functions"]},
        invocations=[_invocation_result(step) for step in steps if step["step"] == "invoke"],
    )


def _invocation_result(step: dict[str, Any]) -> InvocationResult:
    return InvocationResult(
        function=step["function"],
        succeeded=step["status"] == "success",
        exception=step["exception"] and step["exception"]["message"],
        return_value=step["returnValue"],
        outputs=step["outputs"],
    )
