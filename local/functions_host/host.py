"""The host: listeners for all functions of an app, from start to drain."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .host_json import HostConfiguration, read_host_json
from .http_trigger import HttpListener
from .indexing import IndexedFunction, index_app
from .invocation import Invoker
from .queue_output import QueueOutputs
from .queue_trigger import QueueListener
from .storage import StorageQueues
from .timer_trigger import TimerListener

_log = logging.getLogger(__name__)

DRAIN_SECONDS = 30.0


@dataclass(frozen=True)
class HostOptions:
    app_directory: Path
    http_port: int
    lease_seconds: int


class Listener(Protocol):
    async def run(self, stopping: asyncio.Event) -> None:
        """Invoke a function whenever its trigger says so, until `stopping` is set and the last invocation is over."""


class FunctionsHost:
    """Runs one function app in this process. The app is imported when the host is made."""

    def __init__(self, options: HostOptions) -> None:
        self._options = options
        self._configuration: HostConfiguration = read_host_json(options.app_directory / "host.json")
        self._functions = index_app(options.app_directory)
        self.stopping = asyncio.Event()
        """Set this to end `run`."""

    @property
    def function_names(self) -> list[str]:
        return [function.name for function in self._functions]

    async def run(self, ready: Callable[[int], None]) -> bool:
        """Run until `stopping` is set, and call `ready` with the HTTP port once all triggers are listened to.

        False when invocations were still running at the end of the drain time.
        """
        queues = StorageQueues(base64_encoded=self._configuration.queues.base64)
        executor = ThreadPoolExecutor(thread_name_prefix="function")
        try:
            outputs = QueueOutputs(queues)
            invoker = Invoker(executor, outputs)
            for function in self._functions:
                outputs.register(function)
                invoker.register(function)
            http = HttpListener(self._functions, invoker, self._configuration.route_prefix)
            listeners = [listener for each in self._functions if (listener := self._listener(each, invoker, queues))]
            port = await http.start(self._options.http_port, DRAIN_SECONDS)
            running = [asyncio.create_task(listener.run(self.stopping)) for listener in listeners]
            ready(port)
            return await self._until_drained(http, running)
        finally:
            await queues.close()
            executor.shutdown(wait=False, cancel_futures=True)

    def _listener(self, function: IndexedFunction, invoker: Invoker, queues: StorageQueues) -> Listener | None:
        if function.trigger["type"] == "queueTrigger":
            return QueueListener(function, invoker, queues, self._configuration.queues, self._options.lease_seconds)
        if function.trigger["type"] == "timerTrigger":
            return TimerListener(function, invoker)
        return None

    async def _until_drained(self, http: HttpListener, running: list[asyncio.Task[None]]) -> bool:
        stop_wanted = asyncio.create_task(self.stopping.wait())
        # A listener ends on its own only by an error in this host, which must not go unseen.
        await asyncio.wait({stop_wanted, *running}, return_when=asyncio.FIRST_COMPLETED)
        self.stopping.set()
        _log.info("Stopping: running invocations have %g s to end", DRAIN_SECONDS)
        draining = [*running, asyncio.create_task(http.stop())]
        done, unfinished = await asyncio.wait(draining, timeout=DRAIN_SECONDS)
        for task in unfinished:
            task.cancel()
        for task in done:
            task.result()
        return not unfinished
