"""The app settings, queues and containers that a deployment makes are those that the code uses."""

import json
import re

from shared.adapters.queues.in_hand import QUEUE as NOTES
from shared.adapters.queues.pointers import ALERT_DELIVERIES, RETRIES, SLICES
from shared.adapters.upload_files import CONTAINER
from shared.domain.setting_problems import setting_problems
from shared.settings import Connection, Settings
from tests.kit.environments import CHECKOUT
from tests.unit.house.test_settings_documented import APP, PLATFORM, everything_of

from .deployments import deployment

IDENTITY = "00000000-0000-0000-0000-000000000001"
DEPLOYED = deployment("everything").app_settings


def test_a_deployment_sets_what_is_documented_and_all_that_is_needed() -> None:
    assert DEPLOYED.keys() <= (APP | PLATFORM).keys()
    assert {name for name, cells in APP.items() if "must be set" in " ".join(cells)} <= DEPLOYED.keys()
    sample = json.loads((CHECKOUT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"]
    for name in ("WATCH_SCHEDULE", "BACKFILL_SCHEDULE", "SWEEP_SCHEDULE", "ALERT_SCHEDULE"):
        assert DEPLOYED[name] == sample[name]


def test_further_settings_are_set_too() -> None:
    assert DEPLOYED["SEND_TIMEOUT"] == "10"


def test_a_deployment_reaches_everything_by_its_identity() -> None:
    ends = {"Uri": "https://a.example", "Namespace": "a.servicebus.windows.net", "clientId": IDENTITY}
    values = {
        name: next((ends[end] for end in ends if name.endswith(end)), str(value)) for name, value in DEPLOYED.items()
    }
    values |= {
        "KEY_VAULT_URI": "https://a.example",
        "EGRESS_ADDRESSES": "20.50.1.0/31",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={IDENTITY}",
    }
    assert setting_problems(values) == []
    found = everything_of(values)
    connections = [found[name] for name in ("tables", "queues", "blobs", "event_hubs", "key_vault")]
    assert all(isinstance(each, Connection) for each in connections)
    assert {(each.connection_string, each.client_id) for each in connections} == {(None, IDENTITY)}
    assert not found["is_local"]


def test_a_deployment_makes_the_queues_and_the_container_that_the_code_uses() -> None:
    made = deployment("plain")
    kind = "Microsoft.Storage/storageAccounts"
    queues = [each.name.rpartition("/")[2] for each in made.of_type(f"{kind}/queueServices/queues")]
    changes = Settings.from_environment({}).changes_queue
    expected = [changes, RETRIES.name, SLICES.name, ALERT_DELIVERIES.name]
    assert queues == [*expected, *(f"{name}-poison" for name in expected), NOTES]
    triggers = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "shared/triggers").glob("*.py"))
    read = {name.replace("%PROFILE_CHANGES_QUEUE%", changes) for name in re.findall(r'queue_name="([^"]+)"', triggers)}
    assert read == {*expected, NOTES}
    containers = [each.name.rpartition("/")[2] for each in made.of_type(f"{kind}/blobServices/containers")]
    assert containers == ["app-package", CONTAINER]
