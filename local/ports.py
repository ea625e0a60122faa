"""The TCP ports of the local stack: the usual ones, or whichever the system has free."""

import errno
import socket
from dataclasses import dataclass

from local.errors import PortsTakenError

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Ports:
    """0 lets the system choose; the part that binds the port then says which it got."""

    blob: int = 0
    queue: int = 0
    table: int = 0
    amqp: int = 0
    control: int = 0
    http: int = 0


AUTOMATIC_PORTS = Ports()
USUAL_PORTS = Ports(blob=10000, queue=10001, table=10002, amqp=5672, control=5673, http=7071)

_USED_BY = {
    "blob": "Azurite's blobs",
    "queue": "Azurite's queues",
    "table": "Azurite's tables",
    "amqp": "the Event Hubs stand-in",
    "control": "the Event Hubs stand-in's control port",
    "http": "the functions host",
}


def require_free(ports: Ports, *, without_http: bool = False) -> None:
    """Raise `PortsTakenError` naming every fixed port that somebody listens on already."""
    taken = [
        f"{port} (for {_USED_BY[name]})"
        for name, port in vars(ports).items()
        if port and not (name == "http" and without_http) and _is_taken(port)
    ]
    if taken:
        raise PortsTakenError(
            f"port{'s' if len(taken) > 1 else ''} {', '.join(taken)} already in use on {HOST}: "
            "stop what listens there, or let the system choose free ports with --ports auto"
        )


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        # Without this, connections of an earlier run that linger in TIME_WAIT would count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False
