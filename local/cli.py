"""The command line of the local stack: which commands there are, and what their errors look like."""

import argparse
import logging
import os
import sys
import tomllib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from local.broker.control import BrokerControlError
from local.errors import LocalError
from local.stack.part import PROJECT


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
    "why",
    "contract",
    "lag",
    "backfills",
    "resync",
    "shadow",
    "rebuild-index",
    "redrive",
    "quarantine",
    "replay",
    "demo",
    "schemas",
)
"""Each is a module of this package, with `_` for `-`; it is imported only when needed: the SDKs take a second."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 1 for what went wrong, 2 for what was asked for wrongly, 4 for what did
    not come in time.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    wanted = arguments[0] if arguments else ""
    if wanted not in COMMANDS:
        if wanted and not wanted.startswith("-"):
            print(f"there is no command {wanted!r}{_instead(wanted, COMMANDS)}\n", file=sys.stderr)
            wanted = ""
        overview = _overview()
        if not wanted:
            overview.print_help(sys.stderr)
            return 2
        overview.parse_args(arguments)
    args = arguments_of(wanted, arguments[1:])
    # Else Python prints the SDKs' warnings between the lines of a command; what matters of them comes as errors.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    try:
        return _command(wanted).run(args)
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


def _overview() -> argparse.ArgumentParser:
    """Knows which commands there are, and nothing of their arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="The local stack: storage, Event Hubs and the functions host on this machine. Never deployed.",
        epilog="python -m local COMMAND --help tells more about a command.",
    )
    parser.add_argument("--version", action="version", version=f"Profile Relay {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    for name in COMMANDS:
        commands.add_parser(name, help=_command(name).SUMMARY)
    return parser


def arguments_of(name: str, arguments: Sequence[str]) -> argparse.Namespace:
    """What the command `name` is to do. Ends the process for what it does not take, or for --help."""
    command = _command(name)
    parser = argparse.ArgumentParser(prog=f"python -m local {name}", description=command.DESCRIPTION)
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=Path(".local"),
        metavar="DIR",
        help="where the running stack keeps settings, data and logs (default .local)",
    )
    command.add_arguments(parser)
    args, unknown = parser.parse_known_args(arguments)
    if unknown:
        options = [option for action in parser._actions for option in action.option_strings]
        parser.error(f"it does not take {' '.join(unknown)}{_instead(unknown[0].partition('=')[0], options)}")
    return args


def _instead(given: str, known: Iterable[str]) -> str:
    meant = get_close_matches(given, list(known), n=1)
    return f": did you mean {meant[0]}?" if meant else ""


def _version() -> str:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])
