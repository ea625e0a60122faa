"""What the local commands read: the settings `up` wrote, overridden by the environment."""

import json
import stat
from pathlib import Path

import pytest

from local.errors import AlreadyRunningError, LocalError, SettingMissingError
from local.stack.state import StateDirectory, write_settings


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    state = StateDirectory(tmp_path / "state")
    write_settings(state.settings_file, {"EVENTHUBS": "local", "LOCAL_BROKER_CONTROL_PORT": "5673"}, http_port=7071)
    return state


def test_the_settings_file_has_the_shape_of_core_tools_and_is_private(state: StateDirectory) -> None:
    assert json.loads(state.settings_file.read_text()) == {
        "IsEncrypted": False,
        "Values": {"EVENTHUBS": "local", "LOCAL_BROKER_CONTROL_PORT": "5673"},
        "Host": {"LocalHttpPort": 7071},
    }
    assert stat.S_IMODE(state.settings_file.stat().st_mode) == 0o600
    assert list(state.path.iterdir()) == [state.settings_file]


def test_the_environment_wins(state: StateDirectory) -> None:
    assert state.settings({}).require("EVENTHUBS") == "local"
    assert state.settings({"EVENTHUBS": "elsewhere"}).require("EVENTHUBS") == "elsewhere"


def test_another_namespace_has_no_local_control_port(state: StateDirectory) -> None:
    assert state.settings({}).local_control_port == 5673
    assert state.settings({"EVENTHUBS": "elsewhere"}).local_control_port is None


def test_the_short_form_of_azurite_is_understood(state: StateDirectory) -> None:
    storage = state.settings({"RELAY_STORAGE": "UseDevelopmentStorage=true"}).storage
    assert "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;" in storage


def test_without_settings_the_way_out_is_named(tmp_path: Path) -> None:
    settings = StateDirectory(tmp_path).settings({})
    with pytest.raises(SettingMissingError, match=r"RELAY_STORAGE.*local\.settings\.json.*python -m local up"):
        _ = settings.storage


def test_a_damaged_settings_file_is_named(state: StateDirectory) -> None:
    state.settings_file.write_text("[]")
    with pytest.raises(SettingMissingError, match=r"local\.settings\.json is not a settings file"):
        state.settings({})


def test_one_owner_at_a_time(state: StateDirectory) -> None:
    with state.owned(), pytest.raises(AlreadyRunningError, match=r"runs already in .*process \d+"), state.owned():
        pytest.fail("owned twice")
    with state.owned():
        pass


@pytest.mark.parametrize("text", ["garbage", "Endpoint=sb://contoso.servicebus.windows.net/", "Endpoint=sb://[;x=y"])
def test_an_event_hubs_setting_that_is_none_is_named(state: StateDirectory, text: str) -> None:
    with pytest.raises(LocalError, match="app setting EVENTHUBS: expected a connection string"):
        _ = state.settings({"EVENTHUBS": text}).event_hubs
