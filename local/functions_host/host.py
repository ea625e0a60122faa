"""The host: listeners for all functions of an app, from start to drain."""

import asyncio
import hashlib
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .function_groups import in_group
from .host_json import HostConfiguration, read_host_json
from .http.trigger import HttpListener
from .indexing import IndexedFunction, index_app
from .invocation import Invoker
from .queues.output import QueueOutputs
from .queues.trigger import GET_SECONDS, ListenerOptions, QueueListener, poison_queue_name
from .storage.azure_storage import StorageAccounts
from .storage.listener_lock import ListenerLock
from .storage.timer_status import BlobTimerStatus
from .timer_trigger import TimerListener

_log = logging.getLogger(__name__)

_HTTP_DRAIN_SECONDS = 30.0
_HOST_ID_SETTING = "AzureFunctionsWebHost__hostid"


@dataclass(frozen=True)
class HostOptions:
    app_directory: Path
    http_port: int
    lease_seconds: int | None = None
    """For tests: received messages are hidden for so long, and timers run without a lock, for storage leases nothing
    for less than 15 seconds. None: as the real host."""
    function_group: str | None = None
    older_queue_extension: bool = False


class Listener(Protocol):
    async def start(self) -> None:
        """Whatever comes before the host is ready."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Invoke a function whenever its trigger says so, until `stopping` is set and what it waits for is over."""


class FunctionsHost:
    """Runs one function app in this process. The app is imported when the host is made."""

    def __init__(self, options: HostOptions) -> None:
        self._options = options
        self._configuration: HostConfiguration = read_host_json(options.app_directory / "host.json")
        self._functions = index_app(options.app_directory)
        self._served = in_group(self._functions, options.function_group)
        self.stopping = asyncio.Event()
        """Set this to end `run`."""

    @property
    def function_names(self) -> list[str]:
        return [function.name for function in self._functions]

    async def run(self, ready: Callable[[int], None]) -> bool:
        """Run until `stopping` is set, and call `ready` with the HTTP port once all triggers are listened to.

        Invocations of queues are waited for, those of timers are not: False when one was still running at the end.
        """
        accounts = StorageAccounts(self._configuration.queues.encoding)
        executor = ThreadPoolExecutor(thread_name_prefix="function")
        try:
            outputs = QueueOutputs(accounts)
            invoker = Invoker(executor, outputs)
            for function in self._functions:
                outputs.register(function)
                invoker.register(function)
            http = HttpListener(self._served, invoker, self._configuration.route_prefix)
            listeners = [listener for each in self._served if (listener := self._listener(each, invoker, accounts))]
            port = await http.start(self._options.http_port, _HTTP_DRAIN_SECONDS)
            await asyncio.gather(*(listener.start() for listener in listeners))
            running = [asyncio.create_task(listener.run(self.stopping)) for listener in listeners]
            ready(port)
            await self._until_drained(http, running)
            return not any(count.running for count in invoker.counts.values())
        finally:
            await accounts.close()
            executor.shutdown(wait=False, cancel_futures=True)

    def _listener(self, function: IndexedFunction, invoker: Invoker, accounts: StorageAccounts) -> Listener | None:
        if function.trigger["type"] == "queueTrigger":
            return self._queue_listener(function, invoker, accounts)
        if function.trigger["type"] == "timerTrigger":
            return self._timer_listener(function, invoker, accounts)
        return None

    def _queue_listener(self, function: IndexedFunction, invoker: Invoker, accounts: StorageAccounts) -> QueueListener:
        where, connection = f"function {function.name}", function.trigger.get("connection")
        queue = accounts.queue(connection, function.trigger["queueName"], where)
        poison = poison_queue_name(queue.name)
        return QueueListener(
            function,
            invoker,
            queue,
            None if poison is None else accounts.queue(connection, poison, where),
            self._configuration.queues,
            ListenerOptions(self._options.lease_seconds or GET_SECONDS, self._options.older_queue_extension),
        )

    def _timer_listener(self, function: IndexedFunction, invoker: Invoker, accounts: StorageAccounts) -> TimerListener:
        singleton = self._configuration.singleton
        lock = status = None
        if self._options.lease_seconds is None:
            blobs = accounts.host_blobs(f"function {function.name}, for the lock of its timer")
            name = f"{self._host_id}/Host.Functions.{function.name}"
            lock = ListenerLock(blobs, f"locks/{name}.Listener", int(singleton.listener_lock_period))
            status = BlobTimerStatus(blobs, f"timers/{name}/status")
        return TimerListener(function, invoker, lock, status, singleton.listener_lock_recovery_polling_interval)

    @property
    def _host_id(self) -> str:
        """The same for all instances of an app: they share locks."""
        folder = hashlib.sha256(str(self._options.app_directory).encode()).hexdigest()
        return os.environ.get(_HOST_ID_SETTING) or f"local{folder[:27]}"

    async def _until_drained(self, http: HttpListener, running: list[asyncio.Task[None]]) -> None:
        stop_wanted = asyncio.create_task(self.stopping.wait())
        # A listener ends on its own only by an error, which must not go unseen.
        await asyncio.wait({stop_wanted, *running}, return_when=asyncio.FIRST_COMPLETED)
        self.stopping.set()
        _log.info("Stopping: invocations of queues end first, requests have %g s", _HTTP_DRAIN_SECONDS)
        await asyncio.gather(*running, http.stop())
