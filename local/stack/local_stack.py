"""The whole local stack as one object, for `up`, the demo and the integration tests alike."""

import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import QueueServiceClient

from local.broker.control import BrokerControl
from local.errors import PartFailedError, StartAbandonedError
from local.ports import AUTOMATIC_PORTS, Ports
from local.stack.emulators import Azurite, EventHubsBroker, storage_connection_string
from local.stack.functions_host import FunctionsHost, HostKind
from local.stack.part import PROJECT, Part
from local.stack.real_host import CoreToolsHost, RealHost
from local.stack.stand_in_host import StandInHost
from local.stack.state import (
    BROKER_CONTROL_PORT,
    CONFIG_CACHE_SECONDS,
    EVENTHUBS,
    PROFILE_CHANGES_QUEUE,
    RELAY_STORAGE,
    SECRETS_FILE,
    write_settings,
)
from local.stack.storage_faults import StorageFaultProxy
from local.storage_faults.control import StorageFaults

DEFAULT_HUBS: Mapping[str, int] = {"crm": 4, "analytics": 4}
CHANGES_QUEUE = "profile-changes"
QUEUES = (CHANGES_QUEUE, "export-retries", "backfill-slices", "alert-deliveries")
_NOTES_QUEUE = "messages-in-hand"
_HOSTS: Mapping[HostKind, type[FunctionsHost]] = {
    HostKind.STAND_IN: StandInHost,
    HostKind.REAL: RealHost,
    HostKind.FUNC: CoreToolsHost,
}


def require_host(kind: HostKind) -> None:
    """Before anything is started. Raises ToolMissingError where this machine cannot run such a host."""
    _HOSTS[kind].require_tools()


Report = Callable[[str, str | None], None]
"""Told the name of what starts, with None, and again with a summary of it once it is ready."""


def _say_nothing(name: str, summary: str | None) -> None:
    """For callers who have nobody to tell."""


class LocalStack:
    """Azurite, the Event Hubs stand-in and, when asked for, functions hosts; a context manager.

    `directory` gets the logs, the settings files and, unless `in_memory`, Azurite's data.
    Each hub has the `consumer_groups`, beside $Default.
    A part can be killed and started again: it comes back at the same address.
    With `storage_faults` the app, and whoever else uses `settings`, reaches its storage through a fault proxy. With
    `tables_apart` tables are in a process of their own, as they are a service of their own in Azure: otherwise what a
    busy app asks of a queue waits behind all that it asks of tables. That is not for `storage_faults`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        ports: Ports = AUTOMATIC_PORTS,
        in_memory: bool = True,
        hubs: Mapping[str, int] = DEFAULT_HUBS,
        consumer_groups: Sequence[str] = (),
        storage_faults: bool = False,
        tables_apart: bool = False,
        report: Report = _say_nothing,
    ) -> None:
        self.directory = directory.absolute()
        self._logs = self.directory / "logs"
        self._ports = ports
        self._report = report
        self._starting: Part | None = None
        self._abandoned = False
        location = None if in_memory else self.directory / "azurite"
        self.azurite = Azurite(self._logs / "azurite.log", ports, location)
        of_tables = location and location.with_name("azurite-tables")
        self._tables = Azurite(self._logs / "azurite-tables.log", AUTOMATIC_PORTS, of_tables) if tables_apart else None
        self.storage_proxy = (
            StorageFaultProxy(self._logs / "storage-faults.log", self.azurite) if storage_faults else None
        )
        self.event_hubs = EventHubsBroker(self._logs / "event-hubs.log", ports, hubs, consumer_groups)
        self.functions_hosts: list[FunctionsHost] = []

    @property
    def storage_connection_string(self) -> str:
        """Past the fault proxy, if there is one."""
        tables = self._tables or self.azurite
        return storage_connection_string(replace(self.azurite.ports, table=tables.ports.table))

    @property
    def event_hubs_connection_string(self) -> str:
        """Of the namespace: a client adds the hub."""
        return self.event_hubs.connection_string

    @property
    def broker(self) -> BrokerControl:
        """Hubs, statistics and faults of the Event Hubs stand-in."""
        return self.event_hubs.control

    @property
    def storage_faults(self) -> StorageFaults:
        """Faults of the storage that the app uses."""
        if self.storage_proxy is None:
            raise RuntimeError("this stack has no storage faults: make it with storage_faults=True")
        return self.storage_proxy.control

    @property
    def settings(self) -> dict[str, str]:
        """The app settings that make the app use this stack."""
        return {
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AzureWebJobsStorage": self.storage_connection_string,
            RELAY_STORAGE: proxy.connection_string if (proxy := self.storage_proxy) else self.storage_connection_string,
            PROFILE_CHANGES_QUEUE: CHANGES_QUEUE,
            "WATCH_SCHEDULE": "*/30 * * * * *",
            "BACKFILL_SCHEDULE": "*/5 * * * * *",
            "SWEEP_SCHEDULE": "0 0 3 * * *",
            "ALERT_SCHEDULE": "*/10 * * * * *",
            CONFIG_CACHE_SECONDS: "1",
            EVENTHUBS: self.event_hubs_connection_string,
            BROKER_CONTROL_PORT: str(self.event_hubs.ports.control),
            SECRETS_FILE: str(self.directory / "secrets.json"),
        }

    @property
    def functions_host(self) -> FunctionsHost:
        """The one started last."""
        if not self.functions_hosts:
            raise RuntimeError("this stack has no functions host: call start_functions_host first")
        return self.functions_hosts[-1]

    @property
    def dead_parts(self) -> list[Part]:
        """Those that ended although nobody stopped them."""
        return [part for part in self._parts if part.died]

    @property
    def _parts(self) -> list[Part]:
        proxies = [] if self.storage_proxy is None else [self.storage_proxy]
        tables = [] if self._tables is None else [self._tables]
        return [self.azurite, *tables, *proxies, self.event_hubs, *self.functions_hosts]

    def start(self) -> None:
        """Start storage and Event Hubs, with their queues and hubs. Leaves nothing running when it fails."""
        self._logs.mkdir(parents=True, exist_ok=True)
        for old in self._logs.glob("*.log"):
            old.unlink()
        try:
            self._start(self.azurite)
            if self._tables is not None:
                self._start(self._tables)
            self.create_queues((*QUEUES, _NOTES_QUEUE))
            if self.storage_proxy is not None:
                self._start(self.storage_proxy)
            self._start(self.event_hubs)
        except BaseException:
            self.stop()
            raise

    def create_queues(self, names: Iterable[str]) -> None:
        """Create the queues that are missing, each with the `-poison` queue the Functions host moves messages to."""
        with self._queue_service() as service:
            for name in names:
                for queue in (name, f"{name}-poison"):
                    try:
                        service.create_queue(queue)
                    except ResourceExistsError:
                        continue

    def _queue_service(self) -> QueueServiceClient:
        return QueueServiceClient.from_connection_string(self.storage_connection_string, use_env_settings=False)

    def start_functions_host(
        self,
        *,
        kind: HostKind = HostKind.STAND_IN,
        app_dir: Path = PROJECT,
        settings: Mapping[str, str] | None = None,
        lease_seconds: int | None = None,
    ) -> FunctionsHost:
        """One more host with `settings` on top of the stack's; several may run at once, as instances do in Azure.

        Raises PartFailedError where it does not start with every function, ToolMissingError where it is not there.
        """
        number = len(self.functions_hosts) + 1
        label = "functions-host" if number == 1 else f"functions-host-{number}"
        values = self.settings | dict(settings or {})
        settings_file = self.directory / f"{label}.settings.json"
        write_settings(settings_file, values)
        host = _HOSTS[kind](
            self._logs / f"{label}.log",
            name="functions host" if number == 1 else f"functions host {number}",
            app_dir=app_dir,
            settings_file=settings_file,
            settings=values,
            http_port=self._ports.http if number == 1 else 0,
            lease_seconds=lease_seconds,
        )
        self.functions_hosts.append(host)
        self._start(host)
        return host

    def _start(self, part: Part) -> None:
        self._starting = part
        try:
            self._stop_if_abandoned()
            self._report(part.name, None)
            part.start()
            self._stop_if_abandoned()
        except PartFailedError as error:
            self._stop_if_abandoned(error)
            raise
        finally:
            self._starting = None
        self._report(part.name, part.summary)

    def _stop_if_abandoned(self, cause: Exception | None = None) -> None:
        if self._abandoned:
            raise StartAbandonedError("the start was called off") from cause

    def abandon_start(self) -> None:
        """For a signal handler: what is starting is told to end, so that the start comes back at once.

        An exception from the handler would do too, were it not for the moment in which a child exists
        and nobody knows its id yet.
        """
        self._abandoned = True
        if self._starting is not None and self._starting.running:
            os.kill(self._starting.pid, signal.SIGTERM)

    def stop(self) -> None:
        """Stop every part, the hosts first: they would only log errors about the rest going away."""
        for part in reversed(self._parts):
            part.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
