"""Run a function app: `python -m local.functions_host --help`."""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import IO

from .errors import HostStartError
from .host import FunctionsHost, HostOptions
from .settings import load_local_settings
from .storage.listener_lock import ListenerLockLostError

_log = logging.getLogger(__name__)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.functions_host", description=__doc__)
    parser.add_argument("--app-dir", type=Path, default=Path(), help="folder with function_app.py and host.json")
    parser.add_argument("--settings", type=Path, help="default: local.settings.json in the folder of the app")
    parser.add_argument("--http-port", type=int, default=7071, help="0 lets the operating system choose")
    parser.add_argument(
        "--lease-seconds",
        type=int,
        metavar="N",
        help="for tests: a received message stays invisible for N seconds instead of 600, and timers take no lock",
    )
    parser.add_argument(
        "--function-group",
        metavar="GROUP",
        help="be an instance of this group alone, as on Flex Consumption: http, or function:NAME",
    )
    parser.add_argument(
        "--older-queue-extension",
        action="store_true",
        help="before Storage.Queues 5.3.10, what a poison queue delivered maxDequeueCount times is not run any more",
    )
    parser.add_argument("--log-level", default="INFO", type=str.upper, choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    arguments = parser.parse_args()
    if arguments.lease_seconds is not None and arguments.lease_seconds < 1:
        parser.error("--lease-seconds must be at least 1")
    return arguments


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


async def _serve(options: HostOptions, announcements: IO[str]) -> None:
    host = FunctionsHost(options)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, host.stopping.set)

    def announce(http_port: int) -> None:
        line = {"event": "listening", "httpPort": http_port, "functions": host.function_names}
        print(json.dumps(line), file=announcements, flush=True)

    if not await host.run(announce):
        _log.warning("Invocations of timers, which nobody waits for, are cut off")
        logging.shutdown()
        # Ending in order would cancel them, or wait for their threads: the real host's process just ends.
        os._exit(0)


def main() -> int:
    arguments = _arguments()
    logging.basicConfig(
        level=arguments.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # The SDK logs each request at INFO: a line for every poll of every queue.
    logging.getLogger("azure").setLevel(logging.WARNING)
    app_directory: Path = arguments.app_dir.resolve()
    settings: Path | None = arguments.settings or _existing(app_directory / "local.settings.json")
    options = HostOptions(
        app_directory,
        arguments.http_port,
        arguments.lease_seconds,
        arguments.function_group,
        arguments.older_queue_extension,
    )
    # Standard output carries the one line that says the host is ready; what the app prints goes to the log.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            if settings is not None:
                load_local_settings(settings.resolve())
            os.chdir(app_directory)
            asyncio.run(_serve(options, sys.__stdout__ or sys.stderr))
        except HostStartError as error:
            print(f"The function app cannot be started. {error}", file=sys.stderr)
            return 1
        except ListenerLockLostError as error:
            print(f"The functions host ends: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
