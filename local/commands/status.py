"""`python -m local status`: whether all is fine, in a few lines and an exit code."""

import argparse
import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.errors import LocalError
from local.relay import opened_relay
from local.stack.state import StackSettings, StateDirectory
from local.terminal import console, duration, printable
from shared.concurrency import all_of
from shared.domain.alerts.alert import AlertView
from shared.domain.instants import SECOND, format_instant
from shared.domain.setting_problems import setting_problems
from shared.errors import RelayError
from shared.ports.undelivered import UndeliveredCount
from shared.services.wiring import Services
from shared.views.configuration import DestinationResource
from shared.views.health import SettingProblemView, TimerView, what_is_wrong
from shared.views.queues import QueueView
from shared.web.console.backlog import Need, backlogs

SUMMARY = "say whether all is fine: settings, timers, destinations, queues, alerts"
DESCRIPTION = """\
Check all app settings, those that only the Functions host reads too, and show when each timer ran last, how each
destination is and what waits for it, what waits on the queues, and which alerts are open. The last line says what needs
somebody; the exit code is 1 where something does. The settings are those of the running stack, or with --settings what
FILE says: a local.settings.json, or what az functionapp config appsettings list prints.
"""


@dataclass(slots=True)
class Found:
    """What is known of one kind of thing: `wrong` what needs somebody, `lines` all of it, `document` the same."""

    document: dict[str, Any]
    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--settings", type=Path, metavar="FILE", help="check these settings, and look at nothing else")
    parser.add_argument("--json", action="store_true", help="one JSON object: what is wrong, and all that was found")


def run(args: argparse.Namespace) -> int:
    if args.settings is not None:
        return show([of_settings(settings_in(args.settings))], as_json=args.json)
    settings = StateDirectory(args.state_dir).settings()
    found = [of_settings(settings.of_the_stack)] if settings.of_the_stack else []
    try:
        return show([*found, *asyncio.run(_look(settings))], as_json=args.json)
    except RelayError as error:
        raise LocalError(str(error)) from error


def show(found: list[Found], *, as_json: bool) -> int:
    """Print it; returns 1 where something is wrong."""
    wrong = [each for part in found for each in part.wrong]
    if as_json:
        parts = {name: value for part in found for name, value in part.document.items()}
        print(json.dumps({"wrong": wrong, **parts}))
        return int(bool(wrong))
    out = console()
    for line in (line for part in found for line in part.lines):
        out.print(printable(line), markup=False)
    verdict = "wrong: " + "; ".join(wrong) if wrong else "all is fine"
    out.print(printable(verdict), style="red" if wrong else "green", markup=False)
    return int(bool(wrong))


def settings_in(file: Path) -> dict[str, str]:
    """Raises LocalError for a file that has no settings."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(document, list):
            return {str(each["name"]): str(each["value"]) for each in document}
        return {str(name): str(value) for name, value in document["Values"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LocalError(
            f"{file}: expected a local.settings.json, or what az functionapp config appsettings list prints ({error!r})"
        ) from error


def of_settings(settings: Mapping[str, str]) -> Found:
    problems = setting_problems(settings)
    lines = [f"{'error' if each.is_error else 'note':<12} {each}" for each in problems]
    views = [SettingProblemView.model_validate(each).document() for each in problems]
    return Found({"settings": views}, lines, what_is_wrong(problems, []))


async def _look(settings: StackSettings) -> list[Found]:
    async with opened_relay(settings) as relay:
        return await look(relay.services)


async def look(services: Services) -> list[Found]:
    """What storage says of timers, destinations, queues and alerts. Raises StorageError."""
    return await all_of([_timers(services), _destinations(services), _queues(services), _alerts(services)])


async def _timers(services: Services) -> Found:
    states = await services.timers.as_noted()
    lines = []
    for state in states:
        last = format_instant(state.run.ran_at) if state.run.ran_at else "never"
        late = f"overdue for {duration(state.overdue_seconds)}" if state.is_overdue else "in time"
        lines.append(f"timer        {state.run.name:<20} {state.run.schedule:<16} last run {last:<28} {late}")
    views = [TimerView.of(each).document() for each in states]
    return Found({"timers": views}, lines or ["timer        none has run yet"], what_is_wrong([], states))


async def _destinations(services: Services) -> Found:
    configuration = await services.edit_configuration.load()
    troubles, counts = await services.health.load(), await services.undelivered_exports.counts()
    found, flowing = Found({"destinations": []}), {each.id: each for each in configuration.dataflows}
    for each in configuration.destinations:
        resource = DestinationResource.of(each, configuration, troubles)
        waiting, trouble = counts.get(each.id, UndeliveredCount({}, complete=True)), troubles.get(each.id)
        found.document["destinations"].append(
            resource.model_dump(mode="json", by_alias=True)
            | {"undelivered": waiting.by_state, "undeliveredComplete": waiting.complete}
        )
        state = "healthy"
        if trouble is not None:
            since = duration((services.clock() - trouble.since) / SECOND)
            state = f"{'recovering' if trouble.recovering else 'down'} for {since}: {trouble.error}"
            if not trouble.recovering:
                found.wrong.append(f"{each.id} is down for {since}")
        dataflow = flowing.get(each.id)
        flow = "no dataflow" if dataflow is None else "active" if dataflow.enabled else "paused"
        found.lines.append(f"destination  {each.id:<20} {flow:<16} {f'{waiting} undelivered':<24} {state}")
    return found


async def _queues(services: Services) -> Found:
    counts, now = await services.queues.counts(), services.clock()
    found = Found({"queues": [QueueView.model_validate(each).document() for each in counts]})
    for backlog in backlogs(counts, now):
        count = backlog.count
        missing = "not counted" if count.unknown else "missing"
        what = missing if count.messages is None else f"{count.messages:,} waiting"
        if count.front_inserted_at is not None:
            what += f", the first for {duration((now - count.front_inserted_at) / SECOND)}"
        found.lines.append(f"queue        {count.name:<37} {what}  {backlog.what_to_do}".rstrip())
        if backlog.need is not Need.NONE:
            found.wrong.append(f"{count.name}: {what}")
    return found


async def _alerts(services: Services) -> Found:
    alerts = [AlertView.of(each) for each in await services.evaluate_alerts.alerts() if not each.resolved_at]
    found = Found({"alerts": [each.model_dump(mode="json", by_alias=True) for each in alerts]})
    found.lines = [f"alert        {each.destination_id:<20} {each.rule:<16} since {each.opened_at}" for each in alerts]
    found.wrong = [f"alert {each.rule} of {each.destination_id}" for each in alerts]
    return found
