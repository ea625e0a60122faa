"""The stand-in for Table Storage as a process: many times as fast as Azurite, so that the app is what is measured."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.ports import HOST
from local.stack.emulators import node
from local.stack.part import PROJECT, Part


@dataclass(frozen=True, slots=True)
class Tls:
    """Files with the server's key and its certificate, which clients trust by SSL_CERT_FILE."""

    key: Path
    certificate: Path


class TableStandIn(Part):
    """Reached over TLS, too, where `tls` is given.

    Each Nth replacement of a row, `conflict_every`, finds that somebody else has just saved the same.
    """

    name = "table stand-in"
    _ready = r'"event":\s*"listening",\s*"port":\s*(\d+)(?:,\s*"tlsPort":\s*(\d+))?'

    def __init__(self, log: Path, *, conflict_every: int = 0, tls: Tls | None = None) -> None:
        super().__init__(log)
        self._conflict_every = conflict_every
        self._tls = tls
        self._port = 0
        self._tls_port = 0

    def _command(self) -> Sequence[str]:
        tls = ["--key", str(self._tls.key), "--cert", str(self._tls.certificate)] if self._tls else []
        server = node(PROJECT / "bench" / "tables" / "server.js")
        return [*server, "--conflict-every", str(self._conflict_every), *tls]

    def _learn(self, ready: re.Match[str]) -> None:
        self._port, self._tls_port = int(ready[1]), int(ready[2] or 0)

    def connection_string(self, account: str, others: str, *, over_tls: bool = False) -> str:
        """Of an account of its own; queues and blobs are where the connection string `others` has them."""
        where = f"https://{HOST}:{self._tls_port}" if over_tls else f"http://{HOST}:{self._port}"
        kept = "".join(f"{part};" for part in others.split(";") if part.startswith(("Queue", "Blob", "Account")))
        return f"DefaultEndpointsProtocol=http;{kept}TableEndpoint={where}/{account};"

    @property
    def summary(self) -> str:
        return f"{HOST}:{self._port}"
