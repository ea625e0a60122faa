"""`python -m local lag`: how far the readers of a hub are behind."""

import argparse
import asyncio
import json

from local.consumer_lag import consumer_lags
from local.errors import LocalError
from local.stack.state import StateDirectory
from local.terminal import duration, printable
from shared.bootstrap import clock
from shared.domain.exports.lag import GroupLag
from shared.domain.exports.lag_look import Waited
from shared.domain.instants import SECOND
from shared.storage_account import storage_connection_string
from shared.views.consumer_lag import GroupLagView

SUMMARY = "say how far the consumers of a hub are behind, by their checkpoints"
DESCRIPTION = """\
Look at the checkpoints that processors of the SDKs keep in CONTAINER of the storage account (RELAY_STORAGE, or
--storage), and say for each consumer group of HUB how many events it has not read yet, how many expired unread, and
when it last wrote a checkpoint. Nothing is read from the hub but where its partitions end. The exit code is 1 where a
group has lost events or stands at a checkpoint of an earlier hub.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("hub", metavar="HUB", help="the event hub")
    parser.add_argument("container", metavar="CONTAINER", help="the container of its consumers' checkpoints")
    parser.add_argument("--storage", metavar="CONNECTION_STRING", help="of the account that has the container")
    parser.add_argument("--json", action="store_true", help="one JSON object a consumer group and line")


def run(args: argparse.Namespace) -> int:
    settings = StateDirectory(args.state_dir).settings()
    storage = _checked(args.storage) if args.storage else settings.storage
    look = asyncio.run(consumer_lags(settings.event_hubs, args.hub, storage, args.container, clock()))
    for lag in look.groups:
        waited = look.waited(lag)
        print(json.dumps(GroupLagView.of(lag, waited).document()) if args.json else _line(lag, waited, look.at))
    return int(any(lag.problems() for lag in look.groups))


def _checked(storage: str) -> str:
    """In the form that the SDKs take. Raises LocalError."""
    try:
        return storage_connection_string(storage)
    except ValueError as error:
        raise LocalError(f"--storage: {error}") from None


def _line(lag: GroupLag, waited: Waited | None, now: int) -> str:
    age = duration(max(0, now - lag.written_at) / SECOND)
    since = f", for {duration(waited.at_least)} at least" if waited else ""
    unread = f", nothing read of partition {', '.join(lag.unread)}" if lag.unread else ""
    first = f"{printable(lag.group):<24}{lag.events:>12,} events behind{since}, last checkpoint {age} ago{unread}"
    return "\n".join([first, *(f"  ! {printable(problem)}" for problem in lag.problems())])
