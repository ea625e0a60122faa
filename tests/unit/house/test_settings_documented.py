"""docs/settings.md says what the code reads and what host.json holds, and nothing else."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from local.stack.local_stack import LocalStack
from shared.adapters.telemetry.azure_monitor import DEFAULTS, ROOTS_SAMPLED
from shared.domain.instants import SECOND
from shared.domain.timespans import parse_timespan
from shared.errors import SettingError
from shared.services.poison.drain import SAME_ROUND
from shared.settings import Settings
from tests.kit.environments import CHECKOUT

DOCUMENT = (CHECKOUT / "docs/settings.md").read_text(encoding="utf-8")
OF_THE_HOST = {"LOCAL_FUNCTION_KEY"}
READ_BESIDE_THE_PLATFORM = {
    "WEBSITE_AUTH_ENABLED",
    "WEBSITE_SITE_NAME",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
}


def rows(section: str) -> dict[str, list[str]]:
    """The other cells of each row, by the first. Raises where one is there twice."""
    text = DOCUMENT.split(f"\n## {section}\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| `([\w.]+)` \|(.*)\|$", text, re.MULTILINE)
    assert len(found) == len({name for name, _ in found}), section
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in found}


APP, PLATFORM, LOCAL = (
    rows(each) for each in ("App settings", "Read by the platform and libraries", "Of the local stack")
)
SETTINGS = APP | PLATFORM | LOCAL


class Recorded(Mapping[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def everything_of(environment: Mapping[str, str]) -> dict[str, Any]:
    """All that settings can be asked for; None for what they refuse."""
    settings = Settings.from_environment(environment)
    asked = {
        name: getattr(settings, name)
        for name in ("is_local", "local_broker_control_port", "backfill_delay", "egress_addresses", "changes_queue")
    }
    asks: dict[str, Callable[[], object]] = {
        "tables": settings.tables,
        "queues": settings.queues,
        "blobs": settings.blobs,
        "event_hubs": lambda: settings.event_hubs("EVENTHUBS"),
        "key_vault": settings.key_vault,
        "local_secrets_file": lambda: settings.local_secrets_file,
    }
    for name, ask in asks.items():
        asked[name] = None
        with contextlib.suppress(SettingError):
            asked[name] = ask()
    return asked


def read_by_the_code() -> set[str]:
    endpoints = {f"RELAY_STORAGE__{kind}ServiceUri": f"https://a.{kind}.example" for kind in ("queue", "table", "blob")}
    others = {
        "EVENTHUBS__fullyQualifiedNamespace": "a.servicebus.windows.net",
        "KEY_VAULT_URI": "https://a.example",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=0",
    }
    environment = Recorded(endpoints | others)
    everything_of(environment)
    sources = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "shared/triggers").glob("*.py"))
    return environment.asked | set(re.findall(r"%(\w+)%", sources))


def test_what_the_code_reads_is_documented_and_nothing_else() -> None:
    assert read_by_the_code() - READ_BESIDE_THE_PLATFORM == APP.keys() | (LOCAL.keys() - OF_THE_HOST)
    assert PLATFORM.keys() >= READ_BESIDE_THE_PLATFORM


def test_the_environment_is_read_in_two_places_alone() -> None:
    """Both hand it to shared/settings.py, where the test above sees it; a third sets what exporters read there."""
    readers = {
        path.relative_to(CHECKOUT).as_posix()
        for path in [*(CHECKOUT / "shared").rglob("*.py"), CHECKOUT / "function_app.py"]
        if re.search(r"environ\b|getenv", path.read_text(encoding="utf-8"))
    }
    setter = "shared/adapters/telemetry/azure_monitor.py"
    assert readers == {"shared/bootstrap.py", "shared/triggers/admin.py", setter}
    assert DEFAULTS.keys() | {"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"} <= PLATFORM.keys()
    assert {name: PLATFORM[name][0] for name in DEFAULTS} == {name: f"`{value}`" for name, value in DEFAULTS.items()}
    assert PLATFORM["OTEL_TRACES_SAMPLER_ARG"][0] == ROOTS_SAMPLED


def test_what_the_local_stack_sets_is_explained() -> None:
    assert {name for name in LocalStack(CHECKOUT).settings if name.startswith("LOCAL_")} <= LOCAL.keys()
    connections = (CHECKOUT / "docs/connections.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in connections for name in LOCAL.keys() - OF_THE_HOST)


def test_each_setting_says_its_form_and_what_it_is_for() -> None:
    assert len(SETTINGS) == len(APP) + len(PLATFORM) + len(LOCAL)
    for name, (_, form, what) in SETTINGS.items():
        assert form, name
        assert len(what) > 10, name


def test_defaults_are_those_of_the_code() -> None:
    settings = Settings.from_environment({})
    said = {name: cells[0].strip("`") for name, cells in APP.items()}
    for name, value in {
        "CONFIG_CACHE_SECONDS": settings.config_cache_seconds,
        "SEND_TIMEOUT": settings.send_timeout,
        "CONNECTIONS_PER_HUB": settings.connections_per_hub,
        "REDRIVE_PER_SECOND": settings.redrive_per_second,
        "BACKFILL_PER_SECOND": settings.backfill_per_second,
        "UPLOAD_URL_SECONDS": settings.upload_url_seconds,
        "MESSAGE_LEASE_SECONDS": settings.message_lease,
    }.items():
        assert float(said[name]) == value, name
    assert tuple(float(delay) for delay in said["RETRY_DELAYS"].split(",")) == settings.retry_delays
    assert said["PROFILE_CHANGES_QUEUE"] == settings.changes_queue


def test_examples_would_do() -> None:
    examples = {name: APP[name][1].strip("`") for name in ("PROFILE_ACCOUNTS", "EGRESS_ADDRESSES", "PUBLIC_ORIGINS")}
    settings = Settings.from_environment(examples)
    assert len(set(settings.profile_accounts)) == 2
    assert len(settings.egress_addresses) == 2
    assert len(settings.public_origins) == 2


def test_the_sample_sets_what_is_documented() -> None:
    values = json.loads((CHECKOUT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"]
    assert values.keys() <= SETTINGS.keys()
    assert {name for name, cells in APP.items() if "must be set" in " ".join(cells)} <= values.keys()
    assert Settings.from_environment(values).is_local


def leaves(document: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(document, dict):
        for name, value in document.items():
            yield from leaves(value, f"{path}.{name}" if path else name)
    else:
        yield path, document


def test_every_key_of_host_json_is_argued() -> None:
    host = json.loads((CHECKOUT / "host.json").read_text(encoding="utf-8"))
    argued = rows("host.json")
    assert dict(leaves(host)).keys() == argued.keys()
    times = {"00:10:00": "10 minutes", "00:00:25": "25 seconds", "00:00:15": "15 seconds", "00:00:02": "2 seconds"}
    words: dict[Any, str] = {"": "empty", True: "true", **times}
    for key, value in leaves(host):
        said, why = argued[key]
        assert said.strip("`") == (words.get(value) or str(value)), key
        assert len(why) > 20, key


def test_host_json_says_every_number_of_queues() -> None:
    """What the host takes for extensions.queues; a failed message must not come back at once.

    It must not reach its poison queue by an outage of an hour, nor expire before it does: a copy lives anew.
    """
    host = json.loads((CHECKOUT / "host.json").read_text(encoding="utf-8"))
    queues = host["extensions"]["queues"]
    quickest, slowest = parse_timespan(queues["visibilityTimeout"]), 2 * parse_timespan(host["functionTimeout"])
    assert queues["maxDequeueCount"] * quickest > timedelta(seconds=SAME_ROUND // SECOND)
    assert queues["maxDequeueCount"] * slowest < timedelta(days=7)
    numbers = {"batchSize", "newBatchThreshold", "maxDequeueCount", "visibilityTimeout", "maxPollingInterval"}
    assert queues.keys() == numbers | {"messageEncoding"}
    assert queues["visibilityTimeout"] != "00:00:00"
    assert 1 <= queues["batchSize"] <= 32
