"""The app settings, queues and containers that a deployment makes are those that the code uses."""

import json
import re
from typing import Any

import pytest

from shared.adapters.queues.pointers import ALERT_DELIVERIES, RETRIES, SLICES
from shared.adapters.upload_files import CONTAINER
from shared.settings import Connection, Settings
from tests.kit.environments import CHECKOUT
from tests.unit.house.test_settings_documented import APP, PLATFORM, everything_of

from .bicep import BicepFile

IDENTITY = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def deployed(bicep: dict[str, BicepFile]) -> dict[str, str]:
    """The app settings that the Bicep files make when everything is wanted."""
    variables = bicep["app"].variables
    kinds = ("always", "withHubs", "withStaticEgress", "withSignIn")
    return {name: value for kind in kinds for name, value in variables[kind].items()}


def test_a_deployment_sets_what_is_documented_and_all_that_is_needed(deployed: dict[str, Any]) -> None:
    assert deployed.keys() <= (APP | PLATFORM).keys()
    assert {name for name, cells in APP.items() if "must be set" in " ".join(cells)} <= deployed.keys()
    sample = json.loads((CHECKOUT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"]
    for name in ("WATCH_SCHEDULE", "BACKFILL_SCHEDULE", "SWEEP_SCHEDULE", "ALERT_SCHEDULE"):
        assert deployed[name] == sample[name]


def test_a_deployment_reaches_everything_by_its_identity(deployed: dict[str, Any]) -> None:
    ends = {"Uri": "https://a.example", "Namespace": "a.servicebus.windows.net", "clientId": IDENTITY}
    values = {
        name: next((ends[end] for end in ends if name.endswith(end)), str(value)) for name, value in deployed.items()
    }
    values |= {"KEY_VAULT_URI": "https://a.example", "EGRESS_ADDRESSES": "20.50.1.0/31"}
    found = everything_of(values)
    connections = [found[name] for name in ("tables", "queues", "blobs", "event_hubs", "key_vault")]
    assert all(isinstance(each, Connection) for each in connections)
    assert {(each.connection_string, each.client_id) for each in connections} == {(None, IDENTITY)}
    assert not found["is_local"]


def test_a_deployment_makes_the_queues_and_the_container_that_the_code_uses(bicep: dict[str, BicepFile]) -> None:
    variables = bicep["storage"].variables
    queues = [variables.get(name, name) for name in variables["queueNames"]]
    changes = Settings.from_environment({}).changes_queue
    assert queues == [changes, RETRIES.name, SLICES.name, ALERT_DELIVERIES.name]
    triggers = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "shared/triggers").glob("*.py"))
    read = {name.replace("%PROFILE_CHANGES_QUEUE%", changes) for name in re.findall(r'queue_name="([^"]+)"', triggers)}
    assert read == {*queues, *(f"{name}-poison" for name in queues)}
    assert f"'{CONTAINER}'" in bicep["storage"].text
