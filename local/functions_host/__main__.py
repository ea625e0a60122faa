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
from .host import DRAIN_SECONDS, FunctionsHost, HostOptions
from .settings import load_local_settings

_log = logging.getLogger(__name__)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.functions_host", description=__doc__)
    parser.add_argument("--app-dir", type=Path, default=Path(), help="folder with function_app.py and host.json")
    parser.add_argument("--settings", type=Path, help="default: local.settings.json in the folder of the app")
    parser.add_argument("--http-port", type=int, default=7071, help="0 lets the operating system choose")
    parser.add_argument("--lease-seconds", type=int, default=600, help="how long a received message stays invisible")
    parser.add_argument("--log-level", default="INFO", type=str.upper, choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    arguments = parser.parse_args()
    if arguments.lease_seconds < 1:
        parser.error("--lease-seconds must be at least 1")
    return arguments


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


async def _serve(options: HostOptions, announcements: IO[str]) -> bool:
    host = FunctionsHost(options)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, host.stopping.set)

    def announce(http_port: int) -> None:
        line = {"event": "listening", "httpPort": http_port, "functions": host.function_names}
        print(json.dumps(line), file=announcements, flush=True)

    return await host.run(announce)


def main() -> int:
    arguments = _arguments()
    logging.basicConfig(
        level=arguments.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # The SDK logs each request at INFO: a line for every poll of every queue.
    logging.getLogger("azure").setLevel(logging.WARNING)
    app_directory: Path = arguments.app_dir.resolve()
    settings: Path | None = arguments.settings or _existing(app_directory / "local.settings.json")
    options = HostOptions(app_directory, arguments.http_port, arguments.lease_seconds)
    # Standard output carries the one line that says the host is ready; what the app prints goes to the log.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            if settings is not None:
                load_local_settings(settings.resolve())
            os.chdir(app_directory)
            drained = asyncio.run(_serve(options, sys.__stdout__ or sys.stderr))
        except HostStartError as error:
            print(f"The function app cannot be started. {error}", file=sys.stderr)
            return 1
    if not drained:
        _log.warning("Invocations still running after %g s are abandoned", DRAIN_SECONDS)
        logging.shutdown()
        # A thread that runs a function cannot be stopped, and a normal exit would wait for it.
        os._exit(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
