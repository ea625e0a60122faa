"""The command line of the local stack: which commands there are, and what their errors look like."""

import argparse
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from local.broker.control import BrokerControlError
from local.errors import LocalError


class Command(Protocol):
    """What a command's module has."""

    SUMMARY: str
    DESCRIPTION: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


COMMANDS = (
    "up",
    "status",
    "apply",
    "send",
    "tail",
    "backfills",
    "resync",
    "rebuild-index",
    "redrive",
    "quarantine",
    "replay",
    "demo",
    "schemas",
)
"""Each is a module of this package, with `_` for `-`; it is imported only when needed: the SDKs take a second."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 1 for what went wrong, 2 for what was asked for wrongly."""
    arguments = sys.argv[1:] if arguments is None else arguments
    wanted = arguments[0] if arguments else ""
    if not wanted.startswith("-") and wanted not in COMMANDS:
        if wanted:
            print(f"there is no command {wanted!r}\n", file=sys.stderr)
        parser_of(COMMANDS).print_help(sys.stderr)
        return 2
    args = parser_of([wanted] if wanted in COMMANDS else COMMANDS).parse_args(arguments)
    # Else Python prints the SDKs' warnings between the lines of a command; what matters of them comes as errors.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    try:
        return _command(args.command).run(args)
    except (LocalError, BrokerControlError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough. Without this Python complains once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _command(name: str) -> Command:
    return cast("Command", import_module(f"local.commands.{name.replace('-', '_')}"))


def parser_of(names: Iterable[str]) -> argparse.ArgumentParser:
    """Takes these commands and no others."""
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="The local stack: storage, Event Hubs and the functions host on this machine. Never deployed.",
        epilog="python -m local COMMAND --help tells more about a command.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    for name in names:
        command = _command(name)
        subparser = commands.add_parser(name, help=command.SUMMARY, description=command.DESCRIPTION)
        subparser.add_argument(
            "--state-dir",
            type=Path,
            default=Path(".local"),
            metavar="DIR",
            help="where the running stack keeps settings, data and logs (default .local)",
        )
        command.add_arguments(subparser)
    return parser
