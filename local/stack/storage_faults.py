"""The fault proxy as a process of the local stack."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from local.ports import HOST
from local.stack.emulators import Azurite, storage_connection_string
from local.stack.part import Part
from local.storage_faults.control import StorageFaults


class StorageFaultProxy(Part):
    """Stands before all services of `azurite`, which must run first."""

    name = "storage fault proxy"
    _ready = r'\{.*"event":\s*"listening".*"controlPort".*\}'

    def __init__(self, log: Path, azurite: Azurite) -> None:
        super().__init__(log)
        self._azurite = azurite
        self._blob_port = 0
        self._queue_port = 0
        self._table_port = 0
        self._control_port = 0

    def _command(self) -> Sequence[str]:
        return [
            *(sys.executable, "-m", "local.storage_faults"),
            *("--blob-target", f"{HOST}:{self._azurite.ports.blob}"),
            *("--queue-target", f"{HOST}:{self._azurite.ports.queue}"),
            *("--table-target", f"{HOST}:{self._azurite.ports.table}"),
            *("--blob-port", str(self._blob_port)),
            *("--queue-port", str(self._queue_port)),
            *("--table-port", str(self._table_port)),
            *("--control-port", str(self._control_port)),
        ]

    def _learn(self, ready: re.Match[str]) -> None:
        listening = json.loads(ready[0])
        self._blob_port = int(listening["blobPort"])
        self._queue_port = int(listening["queuePort"])
        self._table_port = int(listening["tablePort"])
        self._control_port = int(listening["controlPort"])

    @property
    def control(self) -> StorageFaults:
        return StorageFaults(self._control_port)

    @property
    def connection_string(self) -> str:
        """Of the same account as Azurite's own."""
        ports = replace(self._azurite.ports, blob=self._blob_port, queue=self._queue_port, table=self._table_port)
        return storage_connection_string(ports)

    @property
    def summary(self) -> str:
        ports = {"queues": self._queue_port, "tables": self._table_port, "faults": self._control_port}
        return f"blobs {HOST}:{self._blob_port}" + "".join(f", {name} :{port}" for name, port in ports.items())
