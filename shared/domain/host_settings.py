"""What the Functions host and the libraries need of the settings that the app itself never looks at."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from shared.domain.ncrontab import Interval, ScheduleError, parse_schedule
from shared.domain.setting_problem import CHANGES, EVERYTHING, SettingProblem
from shared.domain.timers import BY_SCHEDULE, disabled_by
from shared.domain.timespans import parse_timespan

_CHANGES_QUEUE = "PROFILE_CHANGES_QUEUE"
_POISON = "-poison"
_QUEUE_NAME = re.compile(r"[a-z0-9](?:-?[a-z0-9])*", re.ASCII)
_QUEUE_LENGTHS = range(3, 63 - len(_POISON) + 1)
_INSIGHTS = "APPLICATIONINSIGHTS_CONNECTION_STRING"
_INSIGHTS_EXPECTED = "expected InstrumentationKey=GUID;IngestionEndpoint=https://…, without quotes, or no such setting"
_SAMPLERS = {f"{root}{name}" for root in ("", "parentbased_") for name in ("always_on", "always_off", "traceidratio")}
_UTC = {"UTC", "ETC/UTC", "GMT"}
_EXAMPLES = {"WATCH_SCHEDULE": "*/30 * * * * *", "SWEEP_SCHEDULE": "0 0 3 * * *"}
_ANY_DAY = datetime(2026, 1, 1)  # noqa: DTZ001 - schedules know no zone
_LONGEST_SCHEDULE = 40
"""What is longer is not repeated: a connection string may have been put there."""
_LISTED = "AzureFunctionsJobHost__functions__"
_HOST_JSON = "AzureFunctionsJobHost__extensions__queues__"
_ROUTE_PREFIX = "AzureFunctionsJobHost__extensions__http__routePrefix"
_THREADS = "PYTHON_THREADPOOL_THREAD_COUNT"
_NUMBERS = {
    "FUNCTIONS_WORKER_PROCESS_COUNT": (0, 10),  # with none there is one; with too many, or no number, no worker starts
    _THREADS: (1, 1_000_000),
    f"{_HOST_JSON}batchSize": (1, 32),
    f"{_HOST_JSON}newBatchThreshold": (0, 1_000_000),
    f"{_HOST_JSON}maxDequeueCount": (1, 1_000_000),
}
_MESSAGE_ENCODING = f"{_HOST_JSON}messageEncoding"
_VISIBILITY = f"{_HOST_JSON}visibilityTimeout"
_FUNCTION_TIMEOUT = "AzureFunctionsJobHost__functionTimeout"
_UNLIMITED = "-1"
_SPANS = {
    _VISIBILITY: ("00:00:00", "7.00:00:00"),
    f"{_HOST_JSON}maxPollingInterval": ("00:00:00.100", "1.00:00:00"),
    _FUNCTION_TIMEOUT: ("00:00:01", "7.00:00:00"),
    "AzureFunctionsJobHost__singleton__listenerLockPeriod": ("00:00:15", "00:01:00"),
}


def _changes_queue(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    name = environment.get(_CHANGES_QUEUE, "")
    if not _QUEUE_NAME.fullmatch(name) or len(name) not in _QUEUE_LENGTHS:
        yield SettingProblem(
            _CHANGES_QUEUE,
            f"expected the name of a queue, such as profile-changes: {_QUEUE_LENGTHS[0]} to {_QUEUE_LENGTHS[-1]} small "
            "letters, digits and single hyphens",
            CHANGES,
        )
    elif name.endswith(_POISON):
        yield SettingProblem(_CHANGES_QUEUE, f"expected a queue whose name does not end in {_POISON}", CHANGES)


def _schedules(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    for setting, timers in BY_SCHEDULE.items():
        text = environment.get(setting, "").strip(" ")
        expected = f"expected six fields of NCRONTAB, such as {_EXAMPLES.get(setting, '0 * * * * *')}"
        try:
            schedule = parse_schedule(text)
            schedule.next_after(_ANY_DAY)
        except ScheduleError as error:
            repeatable = 0 < len(text) <= _LONGEST_SCHEDULE
            yield SettingProblem(setting, f"{expected}; {error}" if repeatable else expected, timers)
            continue
        if isinstance(schedule, Interval):
            flex = environment.get("WEBSITE_SKU") == "FlexConsumption"
            yield SettingProblem(setting, f"{expected}: Flex Consumption takes no time span", timers if flex else "")
        elif len(text.split()) < 6:
            yield SettingProblem(setting, f"{expected}: whoever scales the app may not take one of five")


def _time_zone(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    for name in ("TZ", "WEBSITE_TIME_ZONE"):
        if environment.get(name, "UTC").strip().upper() not in _UTC:
            yield SettingProblem(name, "schedules are in this time zone while it is set, and not in UTC")


def _disabled(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    for name, value in environment.items():
        if (function := disabled_by(name, value)) is not None:
            yield SettingProblem(name, f"{function} is switched off: remove the setting to let it run")
    if any(name.lower().startswith(_LISTED.lower()) for name in environment):
        yield SettingProblem(f"{_LISTED}0", "functions that are not listed are switched off: remove the list")


def _insights(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    """The host does not start with one that it cannot take apart; a key that is none stops telemetry alone."""
    text = environment.get(_INSIGHTS)
    if text is None:
        return
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    parts = {name.strip().lower(): value.strip() for name, _, value in pairs}
    endpoints = [value for name, value in parts.items() if name.endswith("endpoint")]
    readable = all(equals for _, equals, _ in pairs) and len(parts) == len(pairs) and all(map(_is_address, endpoints))
    if not readable or "instrumentationkey" not in parts:
        yield SettingProblem(_INSIGHTS, f"{_INSIGHTS_EXPECTED}: the host may not start with it", EVERYTHING)
        return
    try:
        UUID(parts["instrumentationkey"])
        broken = urlsplit(parts.get("ingestionendpoint", "https://default")).scheme != "https"
    except ValueError:
        broken = True
    if broken:
        yield SettingProblem(_INSIGHTS, f"{_INSIGHTS_EXPECTED}: no metrics and traces are sent")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.hostname)


def _numbers(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    for name, (least, most) in _NUMBERS.items():
        for spelt, text in _spelt(name, environment):
            if text and not (text.isascii() and text.isdecimal() and least <= int(text[:9]) <= most):
                stops = "" if name == _THREADS else EVERYTHING
                yield SettingProblem(spelt, f"expected a whole number from {least:,} to {most:,}", stops)
    for spelt, text in _spelt(_MESSAGE_ENCODING, environment):
        if text.lower() != "none":
            yield SettingProblem(spelt, "expected none, by which the app writes its own messages, too", EVERYTHING)


def _spans(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    for name, (least, most) in _SPANS.items():
        for spelt, text in _spelt(name, environment):
            if name == _FUNCTION_TIMEOUT and text == _UNLIMITED:
                continue
            stops = EVERYTHING
            try:
                if parse_timespan(least) <= parse_timespan(text) <= parse_timespan(most):
                    continue
                if name == _VISIBILITY:  # the host takes it all the same, and fails to release a message that failed
                    stops = ""
            except ValueError:
                pass
            yield SettingProblem(spelt, f"expected a time span from {least} to {most}", stops)


def _spelt(name: str, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is there by this name, in the host's eyes: case makes no other."""
    return [(spelt, text.strip()) for spelt, text in environment.items() if spelt.lower() == name.lower()]


def _worker(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    name = "FUNCTIONS_WORKER_RUNTIME"
    if environment.get(name, "python").lower() != "python":  # the host takes no spaces around it
        yield SettingProblem(name, "expected python", EVERYTHING)
    if environment.get("OTEL_TRACES_SAMPLER", "always_on").strip().lower() not in _SAMPLERS:
        yield SettingProblem("OTEL_TRACES_SAMPLER", f"expected one of {', '.join(sorted(_SAMPLERS))}")
    try:
        share = float(environment.get("OTEL_TRACES_SAMPLER_ARG") or 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        yield SettingProblem("OTEL_TRACES_SAMPLER_ARG", "expected a number from 0 to 1, such as 0.05")


def _routes(environment: Mapping[str, str]) -> Iterator[SettingProblem]:
    if environment.get(_ROUTE_PREFIX, "").strip("/"):
        yield SettingProblem(_ROUTE_PREFIX, "expected no such setting: the host does not start with one", EVERYTHING)


HOST_CHECKS = (_changes_queue, _schedules, _time_zone, _disabled, _insights, _numbers, _spans, _worker, _routes)
"""Each yields what is wrong, for all of the settings."""
