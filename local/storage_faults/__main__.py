"""Put Azurite behind a proxy that fails on purpose: `python -m local.storage_faults --help`."""

import argparse
import asyncio
import json
import logging
import signal
import sys
from typing import get_args

from aiohttp import web

from local.ports import HOST
from local.storage_faults.control_port import control_app
from local.storage_faults.counts import RequestCounts
from local.storage_faults.proxy import StorageProxy
from local.storage_faults.rules import ArmedFaults, Service


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.storage_faults", description=__doc__)
    for service in get_args(Service):
        parser.add_argument(
            f"--{service}-target", type=_address, required=True, metavar="HOST:PORT", help=f"Azurite's {service}s"
        )
    for port in (*get_args(Service), "control"):
        parser.add_argument(
            f"--{port}-port",
            type=int,
            default=0,
            metavar="PORT",
            help="default: the system chooses, see the ready line",
        )
    return parser.parse_args()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} must look like 127.0.0.1:10002")
    return host, int(port)


async def _serve(arguments: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    faults, counts = ArmedFaults(), RequestCounts()
    servers: dict[Service, asyncio.Server] = {}
    for service in get_args(Service):
        target, port = getattr(arguments, f"{service}_target"), getattr(arguments, f"{service}_port")
        servers[service] = await StorageProxy(service, target, faults, counts).listen(HOST, port)
    control = web.AppRunner(control_app(faults, counts), access_log=None, shutdown_timeout=0)
    await control.setup()
    await web.TCPSite(control, HOST, arguments.control_port).start()
    listening = {
        "event": "listening",
        **{f"{service}Port": _port(server) for service, server in servers.items()},
        "controlPort": control.addresses[0][1],
    }
    print(json.dumps(listening), flush=True)
    await stopping.wait()
    # Connections end with the event loop: waiting for them would be waiting for those that a fault stalls.
    for server in servers.values():
        server.close()
    await control.cleanup()


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


def main() -> int:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s: %(message)s")
    try:
        asyncio.run(_serve(_arguments()))
    except (OSError, OverflowError) as error:
        print(
            f"The storage fault proxy cannot listen on {HOST}: {error}. Stop what listens there, "
            "or leave the port out, so that the system chooses one.",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
