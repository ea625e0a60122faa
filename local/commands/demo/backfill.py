"""The demo's backfills: those of the new dataflows, which find nobody, and that of one more mapped audience."""

import asyncio
from dataclasses import replace

from rich.console import Console

from local.commands.apply import apply, print_plan
from local.commands.demo.scene import Scene
from local.commands.output.backfill_rows import state_of
from local.errors import LocalError
from local.stack.local_stack import LocalStack
from shared.domain.configuration.model import ConfigurationFile, MappedAudience
from shared.services.backfills.status import BackfillStatus
from shared.settings import Settings

_DATAFLOW = "crm"
_AUDIENCE = "Newsletter readers"
_SHOWN = 3


def apply_first(out: Console, stack: LocalStack, wanted: ConfigurationFile) -> None:
    out.print("\n[bold]Configuration[/bold] samples/config.json")
    planned = asyncio.run(apply(stack.storage_connection_string, wanted))
    print_plan(planned, Settings.from_environment(stack.settings).backfill_delay)


async def wait_for_first_backfills(scene: Scene) -> None:
    """So that who qualifies in the sample is exported for that alone, and not by these backfills as well."""
    scene.title(
        "First backfills", "of the new dataflows: nobody is in their audiences yet. The changes wait for their end."
    )
    await scene.read_exports(lambda: True)
    _tell(scene, await scene.backfills())


async def map_one_more_audience(scene: Scene, wanted: ConfigurationFile) -> None:
    """Those who are in it already are exported, though nothing about them changes."""
    scene.title("Backfill:", f"{_DATAFLOW} maps one more audience, {_AUDIENCE}, and hears of everybody who is in it")
    earlier = {each.backfill.id for each in await scene.backfills()}
    planned = await apply(scene.stack.storage_connection_string, _with_one_more(wanted))
    changed = [change for change in planned.changes if change.action != "unchanged"]
    print_plan(replace(planned, changes=changed), Settings.from_environment(scene.stack.settings).backfill_delay)
    await scene.read_exports(lambda: True, shown=_SHOWN)
    new = [each for each in await scene.backfills() if each.backfill.id not in earlier]
    _tell(scene, new)
    if not any(each.progress.exported for each in new):
        raise LocalError(f"the backfill exported nobody, though the sample has {_AUDIENCE}: its slices' log says why")


def _with_one_more(wanted: ConfigurationFile) -> ConfigurationFile:
    (audience,) = (each for each in wanted.audiences if each.name == _AUDIENCE)
    mapped = MappedAudience(id=audience.id, namespace=audience.namespace)
    dataflows = [
        each.model_copy(update={"audiences": [*each.audiences, mapped]}) if each.id == _DATAFLOW else each
        for each in wanted.dataflows
    ]
    return wanted.model_copy(update={"dataflows": dataflows})


def _tell(scene: Scene, backfills: list[BackfillStatus]) -> None:
    for each in backfills:
        progress = each.progress
        undelivered = f", {progress.undelivered:,} undelivered" if progress.undelivered else ""
        scene.out.print(
            f"[green]{each.backfill.id}[/green] {state_of(each)}: "
            f"{progress.members:,} members, {progress.exported:,} exported{undelivered}"
        )
