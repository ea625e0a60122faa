"""`python -m local up`: start the local stack and keep it running."""

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from local import cli_types
from local.broker.control import BrokerControlError
from local.errors import PartFailedError, StartAbandonedError
from local.ports import AUTOMATIC_PORTS, USUAL_PORTS, require_free
from local.stack.functions_host import HostKind
from local.stack.local_stack import DEFAULT_HUBS, LocalStack, require_host
from local.stack.state import StateDirectory, write_settings
from local.terminal import console

SUMMARY = "start the local stack and keep it running until Ctrl-C"
DESCRIPTION = """\
Start Azurite (storage), a stand-in for Event Hubs and the functions host with this app, and keep them running until
Ctrl-C. The other commands find the stack through the settings file this one writes. What was stored is there again
next time (unless --in-memory), and so are the hubs, but not the events in them.
"""
_LOOK_INTERVAL = 0.2
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    usual = USUAL_PORTS
    parser.add_argument(
        "--ports",
        choices=("fixed", "auto"),
        default="fixed",
        help=f"fixed: the usual ones ({usual.blob}-{usual.table}, {usual.amqp}, {usual.control}, {usual.http}; "
        "default); auto: whichever are free",
    )
    parser.add_argument("--in-memory", action="store_true", help="store nothing on disk: start and end empty")
    parser.add_argument(
        "--hub",
        action="append",
        type=cli_types.hub,
        metavar="NAME:PARTITIONS",
        help="create this hub; may be given more than once (default: "
        + ", ".join(f"{hub}:{partitions}" for hub, partitions in DEFAULT_HUBS.items())
        + ")",
    )
    parser.add_argument(
        "--consumer-group",
        action="append",
        type=cli_types.consumer_group,
        metavar="NAME",
        default=[],
        help="declare this consumer group in each hub, beside $Default; may be given more than once",
    )
    cli_types.add_host_argument(parser)
    parser.add_argument(
        "--no-functions-host", action="store_true", help="leave the functions to a func start of your own"
    )


def run(args: argparse.Namespace) -> int:
    out = console()
    state = StateDirectory(args.state_dir)
    ports = USUAL_PORTS if args.ports == "fixed" else AUTOMATIC_PORTS
    with state.owned():
        require_free(ports, without_http=args.no_functions_host)
        require_host(args.host)
        remembered = {} if args.in_memory else state.remembered_hubs()
        progress = _StartProgress(out)
        stack = LocalStack(
            state.path,
            ports=ports,
            in_memory=args.in_memory,
            hubs=remembered | dict(args.hub or DEFAULT_HUBS),
            consumer_groups=args.consumer_group,
            report=progress.report,
        )
        with stop_signals(stack) as stop:
            try:
                with progress.shown(), stack:
                    _start_functions(stack, state, None if args.no_functions_host else args.host)
                    progress.done()
                    _print_addresses(out, stack, state, own_host=not args.no_functions_host)
                    wait(stack, stop)
                    if not args.in_memory:
                        _remember_hubs(stack, state)
                    out.print("Stopping.")
            except StartAbandonedError:
                out.print("Stopped while starting.")
            finally:
                state.forget_settings()
    return 0


def _start_functions(stack: LocalStack, state: StateDirectory, kind: HostKind | None) -> None:
    write_settings(state.settings_file, stack.settings)
    if kind is not None:
        host = stack.start_functions_host(kind=kind)
        write_settings(state.settings_file, stack.settings, http_port=host.http_port)


def _print_addresses(out: Console, stack: LocalStack, state: StateDirectory, *, own_host: bool) -> None:
    rows = {
        "Storage": stack.storage_connection_string,
        "Event Hubs": stack.event_hubs_connection_string,
        "Settings": str(state.settings_file),
        "Logs": str(state.path / "logs"),
    }
    if own_host:
        rows["Functions"] = stack.functions_host.url
        rows["Console"] = stack.functions_host.console_url
    out.print()
    for name, value in rows.items():
        out.print(f"[bold]{name:<12}[/bold]{escape(value)}")
    out.print()
    if not own_host:
        out.print(f"Run the functions with: cp {escape(str(state.settings_file))} . && func start")
    out.print("Ready. Ctrl-C stops everything.")


def wait(stack: LocalStack, stop: "StopRequest") -> None:
    """Until a signal comes, or a part dies."""
    while not stop.requested:
        if dead := stack.dead_parts:
            raise PartFailedError("; ".join(f"{part.name} died; {part.what_it_printed()}" for part in dead))
        time.sleep(_LOOK_INTERVAL)


def _remember_hubs(stack: LocalStack, state: StateDirectory) -> None:
    try:
        state.remember_hubs(stack.broker.hubs())
    except BrokerControlError as error:
        print(f"hubs created since the start are not remembered: {error}", file=sys.stderr)


class StopRequest:
    requested = False


@contextmanager
def stop_signals(stack: LocalStack) -> Iterator[StopRequest]:
    """Until the end, a signal to stop asks for it instead of ending the process."""
    stop = StopRequest()

    def request(_number: int, _frame: FrameType | None) -> None:
        stop.requested = True
        stack.abandon_start()

    previous = {number: signal.signal(number, request) for number in _STOP_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class _StartProgress:
    """One line for each part that has started; on a terminal also what is being waited for."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._status = Status("", console=out)
        self._began = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.done()

    def report(self, name: str, summary: str | None) -> None:
        if summary is None:
            self._began = time.monotonic()
            self._status.update(f"starting {name}")
            if self._out.is_terminal:
                self._status.start()
        else:
            seconds = time.monotonic() - self._began
            self._out.print(f"[green]started[/green] {name}: {escape(summary)} [dim]({seconds:.1f} s)[/dim]")

    def done(self) -> None:
        self._status.stop()
