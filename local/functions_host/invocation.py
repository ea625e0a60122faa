"""Run one invocation of a function: its arguments, its outputs, what is counted and logged."""

import asyncio
import contextvars
import logging
import secrets
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Protocol

import azure.functions as func

from .indexing import IndexedFunction
from .queues.output import QueueOutputs

_log = logging.getLogger(__name__)


class InvocationContext(func.Context):
    """What a function sees as its `context`. Each invocation begins a trace, unsampled; there is no retry policy."""

    def __init__(self, function: IndexedFunction, invocation_id: str) -> None:
        self._function = function
        self._invocation_id = invocation_id
        self._thread_local_storage = threading.local()
        self._trace_context = SimpleNamespace(
            trace_parent=f"00-{uuid.uuid4().hex}-{secrets.token_hex(8)}-00", trace_state="", attributes={}
        )
        self._retry_context = SimpleNamespace(retry_count=0, max_retry_count=0, exception=None)

    @property
    def invocation_id(self) -> str:
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        return self._thread_local_storage

    @property
    def function_name(self) -> str:
        return self._function.name

    @property
    def function_directory(self) -> str:
        return str(self._function.directory)

    @property
    def trace_context(self) -> Any:
        return self._trace_context

    @property
    def retry_context(self) -> Any:
        return self._retry_context


class OutputValue(func.Out[Any]):
    """The value of an output binding, set by the function."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


@dataclass
class InvocationCount:
    running: int = 0
    succeeded: int = 0
    failed: int = 0


@dataclass(frozen=True)
class InvocationResult:
    """How an invocation ended; `outputs` holds the values by binding name, `$return` among them."""

    succeeded: bool
    outputs: Mapping[str, Any] = field(default_factory=dict)


class Invocations(Protocol):
    """Runs functions; an invocation that fails does not raise."""

    async def invoke(self, function: IndexedFunction, trigger_value: Any) -> InvocationResult: ...


class Invoker:
    """Runs functions: async ones on the event loop, others on threads. An invocation that fails does not raise."""

    def __init__(self, executor: Executor, queue_outputs: QueueOutputs) -> None:
        self._executor = executor
        self._queue_outputs = queue_outputs
        self.counts: dict[str, InvocationCount] = {}

    def register(self, function: IndexedFunction) -> None:
        self.counts[function.name] = InvocationCount()

    async def invoke(self, function: IndexedFunction, trigger_value: Any) -> InvocationResult:
        """Run the function and write its queue outputs; a write that fails makes the invocation fail."""
        invocation_id = str(uuid.uuid4())
        count = self.counts[function.name]
        count.running += 1
        _log.debug("Executing %s (invocation %s)", function.name, invocation_id)
        try:
            outputs = await self._call(function, trigger_value, invocation_id)
            await self._queue_outputs.write(function, outputs)
        except Exception:
            count.failed += 1
            _log.exception("Function %s failed (invocation %s)", function.name, invocation_id)
            return InvocationResult(succeeded=False)
        finally:
            count.running -= 1
        count.succeeded += 1
        _log.debug("Executed %s (invocation %s)", function.name, invocation_id)
        return InvocationResult(succeeded=True, outputs=outputs)

    async def _call(self, function: IndexedFunction, trigger_value: Any, invocation_id: str) -> dict[str, Any]:
        outs = {binding["name"]: OutputValue() for binding in function.outputs if binding["name"] != "$return"}
        arguments: dict[str, Any] = {function.trigger["name"]: trigger_value, **outs}
        if function.takes_context:
            arguments["context"] = InvocationContext(function, invocation_id)
        if function.is_async:
            returned = await function.call(**arguments)
        else:
            within_context = contextvars.copy_context().run
            returned = await asyncio.get_running_loop().run_in_executor(
                self._executor, lambda: within_context(function.call, **arguments)
            )
        return {"$return": returned, **{name: out.get() for name, out in outs.items()}}
