"""`python -m local status`: whether the app can work: its settings, and when its timers ran."""

import argparse
import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from local.errors import LocalError
from local.relay import opened_relay
from local.stack.state import StackSettings, StateDirectory
from shared.domain.instants import format_instant
from shared.domain.setting_problems import setting_problems
from shared.domain.timers import TimerState
from shared.errors import RelayError

SUMMARY = "show what is wrong with the settings, and when each timer ran"
DESCRIPTION = """\
Check all app settings, those that only the Functions host reads too, and show when each timer ran last and whether one
is overdue. The settings are those of the running stack, or what FILE says: a local.settings.json, or what
az functionapp config appsettings list prints. The exit code is 1 where something stops functions. GET /api/health of a
deployed app says the same of its own settings.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--settings", type=Path, metavar="FILE", help="check these settings, and look at nothing else")


def run(args: argparse.Namespace) -> int:
    if args.settings is not None:
        return _show_settings(settings_in(args.settings))
    settings = StateDirectory(args.state_dir).settings()
    wrong = _show_settings(settings.of_the_stack) if settings.of_the_stack else 0
    try:
        overdue = _show_timers(asyncio.run(_timers(settings)))
    except RelayError as error:
        raise LocalError(str(error)) from error
    return max(wrong, overdue)


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


def _show_settings(settings: Mapping[str, str]) -> int:
    problems = setting_problems(settings)
    for problem in problems:
        print(f"{'error' if problem.is_error else 'note':<7}{problem}")
    if not problems:
        print("nothing is wrong with the settings")
    return int(any(problem.is_error for problem in problems))


async def _timers(settings: StackSettings) -> list[TimerState]:
    async with opened_relay(settings) as relay:
        return await relay.services.timers.as_noted()


def _show_timers(states: list[TimerState]) -> int:
    for state in states:
        last = format_instant(state.run.ran_at) if state.run.ran_at else "never"
        late = f"overdue for {state.overdue_seconds:.0f} s" if state.is_overdue else "in time"
        print(f"timer  {state.run.name:<20} {state.run.schedule:<16} last run {last:<28} {late}")
    if not states:
        print("no timer has run yet")
    return int(any(state.is_overdue for state in states))
