"""Find the functions of an app, as the Python worker does: import function_app.py, take its one app object."""

import importlib
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure.functions as func

from .errors import HostStartError
from .settings import resolve_placeholders

Binding = dict[str, Any]

_TRIGGER_TYPES = ("queueTrigger", "timerTrigger", "httpTrigger")
_OUTPUT_TYPES = ("queue", "http")


@dataclass(frozen=True)
class IndexedFunction:
    """A function of the app with its bindings, `%NAME%` resolved, in the form of function.json."""

    name: str
    directory: Path
    call: Callable[..., Any]
    trigger: Binding
    outputs: tuple[Binding, ...]
    takes_context: bool

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.call)


def index_app(app_directory: Path) -> list[IndexedFunction]:
    """All functions of the app; `HostStartError` when a host could not run one of them."""
    app = _app_object(_imported_module(app_directory))
    try:
        functions = app.get_functions()
    except Exception as error:
        raise HostStartError(f"function_app.py: the app's functions cannot be indexed: {error}") from error
    if not functions:
        raise HostStartError(
            "function_app.py: the app has no functions. Register one, or the blueprint that holds them."
        )
    return [_indexed(function, app_directory) for function in functions]


def _imported_module(app_directory: Path) -> Any:
    script = app_directory / "function_app.py"
    # Without this check, an import could find another function_app.py, say in the current directory.
    if not script.is_file():
        raise HostStartError(f"{script}: there is no such file. Name the folder of a function app with --app-dir.")
    sys.path.insert(0, str(app_directory))
    try:
        return importlib.import_module("function_app")
    except Exception as error:
        raise HostStartError(f"{script}: cannot be imported: {type(error).__name__}: {error}") from error


def _app_object(module: Any) -> func.FunctionRegister:
    apps = {id(value): value for value in vars(module).values() if isinstance(value, func.FunctionRegister)}
    if len(apps) != 1:
        raise HostStartError(
            f"function_app.py: has {len(apps)} objects of the type FunctionApp; it must have exactly one."
        )
    return next(iter(apps.values()))


def _indexed(function: func.Function, app_directory: Path) -> IndexedFunction:
    name = str(function.get_function_name())
    where = f"function {name}"
    # The text form: in the dictionary form, some values are still enumerations.
    bindings = [
        resolve_placeholders(binding, where) for binding in json.loads(function.get_function_json())["bindings"]
    ]
    triggers = [binding for binding in bindings if binding["type"] in _TRIGGER_TYPES]
    outputs = tuple(
        binding for binding in bindings if binding["type"] in _OUTPUT_TYPES and binding["direction"] == "OUT"
    )
    if len(triggers) != 1 or len(outputs) + 1 != len(bindings):
        found = ", ".join(binding["type"] for binding in bindings) or "none"
        raise HostStartError(
            f"{where}: its bindings ({found}) cannot be run here. This host knows one trigger of "
            f"{', '.join(_TRIGGER_TYPES)} with outputs of {', '.join(_OUTPUT_TYPES)}."
        )
    call = function.get_user_function()
    parameters = set(inspect.signature(call).parameters)
    bound = {binding["name"] for binding in bindings} - {"$return"}
    takes_context = "context" in parameters - bound
    if unmatched := (parameters ^ bound) - {"context"}:
        raise HostStartError(
            f"{where}: {', '.join(sorted(unmatched))}: a parameter without binding, or a binding without parameter. "
            "Give each binding's arg_name a parameter of the same name."
        )
    return IndexedFunction(name, app_directory / name, call, triggers[0], outputs, takes_context)
