"""`python -m local apply`: make the configuration what a declarative file says."""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence

from rich.markup import escape

from local.broker.control import BrokerControl
from local.errors import LocalError
from local.files import json_in
from local.relay import app_environment
from local.stack.state import CONFIG_CACHE_SECONDS, StackSettings, StateDirectory
from local.terminal import console, duration
from shared.adapters.tables.audience_counts import TableAudienceCounts
from shared.adapters.tables.configuration import TableConfiguration
from shared.adapters.tables.health import TableHealth
from shared.adapters.tables.runs import TableRuns
from shared.adapters.tables.service import table as tables
from shared.bootstrap import clock
from shared.domain.audiences.estimate import BackfillEstimate
from shared.domain.configuration.model import ConfigurationFile, RequestedBackfill, parse_configuration_file
from shared.domain.configuration.plan import Plan
from shared.domain.instants import MILLISECOND, SECOND, format_instant
from shared.errors import RelayError
from shared.hosting import RELAY_STORAGE
from shared.services.audiences.counts import AudienceCounts
from shared.services.audiences.estimate import EstimateBackfills
from shared.services.configuration.apply import apply_configuration
from shared.services.runs.history import RunHistory
from shared.settings import Connection, Settings
from shared.views.configuration import PlanView

SUMMARY = "register audiences, destinations and dataflows from a file"
DESCRIPTION = """\
Make the configuration what FILE says (its JSON Schema: schemas/configuration.schema.json). Applying it again changes
nothing. What FILE does not name is kept, unless --prune. Hubs that the local stack lacks are created. Prints what
changes, and the backfills that follow: python -m local backfills shows how far they are. On the local stack the
command returns when the running app follows; elsewhere that takes up to CONFIG_CACHE_SECONDS (30).
"""
HUB_PARTITIONS = 4
_MARKS = {
    "created": ("+", "green"),
    "changed": ("~", "yellow"),
    "unchanged": ("=", "dim"),
    "removed": ("-", "red"),
    "kept, not in the file": (" ", "dim"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the declarative file, or - for standard input")
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
    parser.add_argument("--prune", action="store_true", help="remove what FILE does not name")
    parser.add_argument("--json", action="store_true", help="one JSON object, as PUT /api/config answers")


def run(args: argparse.Namespace) -> int:
    try:
        wanted = read_configuration_file(args.file)
        settings = StateDirectory(args.state_dir).settings()
        app_settings = Settings.from_environment(app_environment(settings))
        planned, estimates = asyncio.run(
            apply_and_estimate(
                settings.storage,
                wanted,
                app_settings.backfill_per_second,
                prune=args.prune,
                dry_run=args.dry_run,
                oldest_release=app_settings.oldest_release,
            )
        )
        if not args.dry_run:
            create_hubs(settings, wanted)
    except RelayError as error:
        raise LocalError(f"{args.file}: {error}") from error
    if args.json:
        print(json.dumps(PlanView.of(planned, estimates, dry_run=args.dry_run).document()))
    else:
        print_plan(planned, app_settings.backfill_delay, estimates)
    if planned.changes_something and not args.dry_run and settings.local_control_port is not None:
        # What was sent earlier could still be decided by the configuration before this one.
        time.sleep(float(settings.find(CONFIG_CACHE_SECONDS) or 0))
    if args.dry_run and planned.changes_something and not args.json:
        print("nothing was changed: this was a dry run")
    return 0


def read_configuration_file(file: str) -> ConfigurationFile:
    """Raises LocalError where it cannot be read or is no JSON, ConfigurationError for what it says."""
    return parse_configuration_file(json_in(file))


async def apply(
    storage_connection_string: str,
    wanted: ConfigurationFile,
    *,
    prune: bool = False,
    dry_run: bool = False,
    oldest_release: str | None = None,
) -> Plan:
    """Carry out (or only plan) what `wanted` says on the configuration in this account."""
    async with tables.Account(Connection(RELAY_STORAGE, connection_string=storage_connection_string)) as account:
        table = tables.Table(account, "Configuration")
        await table.create_if_missing()
        stores = TableConfiguration(table, oldest_release), TableHealth(table)
        return await apply_configuration(*stores, wanted, clock, prune=prune, dry_run=dry_run)


async def apply_and_estimate(
    storage_connection_string: str,
    wanted: ConfigurationFile,
    per_second: float,
    *,
    prune: bool,
    dry_run: bool,
    oldest_release: str | None = None,
) -> tuple[Plan, list[BackfillEstimate]]:
    """The same, and what the backfills of the plan will come to at `per_second` exports."""
    planned = await apply(
        storage_connection_string, wanted, prune=prune, dry_run=dry_run, oldest_release=oldest_release
    )
    async with tables.Account(Connection(RELAY_STORAGE, connection_string=storage_connection_string)) as account:
        table = tables.Table(account, "Runs")
        await table.create_if_missing()
        runs = TableRuns(table)
        estimating = EstimateBackfills(
            counts=AudienceCounts(TableAudienceCounts(table), runs, clock),
            history=RunHistory(runs, clock),
            clock=clock,
            per_second=per_second,
        )
        return planned, await estimating.of_plan(planned)


def create_hubs(settings: StackSettings, wanted: ConfigurationFile) -> None:
    """Create the hubs of `wanted` that the local stack lacks; in Azure they are their owner's to create."""
    if settings.local_control_port is None:
        return
    broker = BrokerControl(settings.local_control_port)
    for hub in {destination.event_hub_name for destination in wanted.destinations} - broker.hubs().keys():
        broker.create_hub(hub, HUB_PARTITIONS)


def print_plan(planned: Plan, backfill_delay: float, estimates: Sequence[BackfillEstimate] = ()) -> None:
    """A line for each entry, then the backfills, which are due after so many seconds, with what they will come to, then
    what consumers lose and the warnings.
    """
    out = console()
    for change in planned.changes:
        mark, style = _MARKS[change.action]
        out.print(f"[{style}]{mark} {change.kind:<12}{escape(change.id):<50}{change.action}[/{style}]")
    texts = {each.destination_id: each.text for each in estimates}
    for backfill in planned.backfills:
        what = f"{_backfilled(backfill, planned)}, due in about {duration(backfill_delay)}"
        out.print(f"[green]+ {'backfill':<12}{escape(backfill.destination):<50}{what}[/green]")
        if backfill.destination in texts:
            out.print(f"  {'':<12}{escape(texts[backfill.destination])}")
    for warning in [*planned.removals, *planned.warnings]:
        out.print(f"[yellow]! {escape(warning)}[/yellow]")


def _backfilled(backfill: RequestedBackfill, planned: Plan) -> str:
    """Whom the backfill exports."""
    if backfill.audiences is not None:
        return _members(len(backfill.audiences))
    if backfill.since is None:
        (dataflow,) = (each for each in planned.configuration.dataflows if each.id == backfill.destination)
        return _members(len(dataflow.active_audiences))
    changed = f"what changed since {format_instant(backfill.since * MILLISECOND // SECOND * SECOND)}"
    return f"{changed}, {_members(len(backfill.new))} mapped since" if backfill.new else changed


def _members(audiences: int) -> str:
    return f"members of {audiences} audience{'' if audiences == 1 else 's'}"
