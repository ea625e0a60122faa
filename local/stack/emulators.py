"""What stands in for Azure: Azurite for storage, a stand-in of our own for Event Hubs. Both run on Node.js."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from local.broker.control import DEFAULT_KEY, DEFAULT_KEY_NAME, BrokerControl
from local.errors import ToolMissingError
from local.ports import HOST, USUAL_PORTS, Ports
from local.stack.part import PROJECT, Part

# Published in Azurite's documentation and the same on every machine: it protects nothing.
_AZURITE_ACCOUNT = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
)


def storage_connection_string(ports: Ports = USUAL_PORTS) -> str:
    """For Azurite at these ports."""
    endpoints = {"Blob": ports.blob, "Queue": ports.queue, "Table": ports.table}
    return _AZURITE_ACCOUNT + "".join(
        f"{service}Endpoint=http://{HOST}:{port}/devstoreaccount1;" for service, port in endpoints.items()
    )


class Azurite(Part):
    """Blobs, queues and tables. Without `location` everything is kept in memory."""

    name = "Azurite"
    _ready = r"Table service is successfully listening"

    def __init__(self, log: Path, ports: Ports, location: Path | None) -> None:
        super().__init__(log)
        self.ports = ports
        self._location = location

    def _command(self) -> Sequence[str]:
        where = ["--inMemoryPersistence"] if self._location is None else ["--location", str(self._location)]
        return [
            *node(PROJECT / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"),
            *where,
            *("--blobPort", str(self.ports.blob)),
            *("--queuePort", str(self.ports.queue)),
            *("--tablePort", str(self.ports.table)),
            # The SDKs are often ahead of the API versions Azurite knows.
            *("--skipApiVersionCheck", "--loose", "--silent", "--disableTelemetry"),
        ]

    def _learn(self, ready: re.Match[str]) -> None:
        # Each service has a line of its own, and all are in the log by the time the last of them is seen.
        bound = dict(
            re.findall(r"(Blob|Queue|Table) service is successfully listening at .*:(\d+)", self.log.read_text())
        )
        self.ports = replace(self.ports, blob=int(bound["Blob"]), queue=int(bound["Queue"]), table=int(bound["Table"]))

    @property
    def connection_string(self) -> str:
        return storage_connection_string(self.ports)

    @property
    def summary(self) -> str:
        kept = "in memory" if self._location is None else f"kept in {self._location}"
        return f"blobs {HOST}:{self.ports.blob}, queues :{self.ports.queue}, tables :{self.ports.table}, {kept}"


class EventHubsBroker(Part):
    """The Event Hubs stand-in. Its hubs and events are in memory only."""

    name = "Event Hubs stand-in"
    _ready = r'"event":\s*"listening",\s*"amqpPort":\s*(\d+),\s*"controlPort":\s*(\d+)'

    def __init__(self, log: Path, ports: Ports, hubs: Mapping[str, int], consumer_groups: Sequence[str] = ()) -> None:
        super().__init__(log)
        self.ports = ports
        self._hubs = hubs
        self._consumer_groups = consumer_groups

    def _command(self) -> Sequence[str]:
        return [
            *node(PROJECT / "local" / "broker" / "server.js"),
            *("--amqp-port", str(self.ports.amqp)),
            *("--control-port", str(self.ports.control)),
            *(option for hub, partitions in self._hubs.items() for option in ("--hub", f"{hub}:{partitions}")),
            *(option for group in self._consumer_groups for option in ("--consumer-group", group)),
        ]

    def _learn(self, ready: re.Match[str]) -> None:
        self.ports = replace(self.ports, amqp=int(ready[1]), control=int(ready[2]))

    @property
    def control(self) -> BrokerControl:
        return BrokerControl(self.ports.control)

    @property
    def connection_string(self) -> str:
        return (
            f"Endpoint=sb://{HOST}:{self.ports.amqp};SharedAccessKeyName={DEFAULT_KEY_NAME};"
            f"SharedAccessKey={DEFAULT_KEY};UseDevelopmentEmulator=true;"
        )

    @property
    def summary(self) -> str:
        hubs = ", ".join(f"{hub} ({partitions} partitions)" for hub, partitions in self._hubs.items())
        return f"{HOST}:{self.ports.amqp}, hubs {hubs}" if hubs else f"{HOST}:{self.ports.amqp}, no hubs yet"


def node(script: Path) -> list[str]:
    node = shutil.which("node")
    if node is None:
        raise ToolMissingError("node is not on the PATH: install Node.js 20 or newer, then run npm ci")
    if not script.exists():
        raise ToolMissingError(f"{script} is missing: run npm ci in {PROJECT}")
    return [node, str(script)]
