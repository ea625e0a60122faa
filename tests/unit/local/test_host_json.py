import json
from pathlib import Path
from typing import Any

import pytest

from local.functions_host.errors import HostStartError
from local.functions_host.host_json import HostConfiguration, QueueOptions, SingletonOptions, read_host_json
from local.functions_host.storage.message_encoding import BASE64, PLAIN


def read(folder: Path, document: Any) -> HostConfiguration:
    path = folder / "host.json"
    path.write_text(json.dumps(document))
    return read_host_json(path)


@pytest.fixture(autouse=True)
def _two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOTNET_PROCESSOR_COUNT", "2")


def test_defaults_are_those_of_the_host(tmp_path: Path) -> None:
    defaults = QueueOptions(
        batch_size=16,
        new_batch_threshold=16,
        visibility_timeout=0,
        max_dequeue_count=5,
        max_polling_interval=60,
        encoding=BASE64,
    )
    assert read(tmp_path, {"version": "2.0"}) == HostConfiguration(
        queues=defaults, route_prefix="api", singleton=SingletonOptions(60, 60)
    )


def test_reads_what_is_set(tmp_path: Path) -> None:
    queues = {
        "batchSize": 4,
        "newBatchThreshold": 0,
        "visibilityTimeout": "00:00:30",
        "maxDequeueCount": 3,
        "maxPollingInterval": "00:00:00.100",
        "messageEncoding": "none",
    }
    singleton = {"listenerLockPeriod": "00:00:15", "listenerLockRecoveryPollingInterval": "00:00:20"}
    configuration = read(
        tmp_path, {"extensions": {"queues": queues, "http": {"routePrefix": ""}}, "singleton": singleton}
    )
    assert configuration == HostConfiguration(
        QueueOptions(4, 0, 30, 3, 0.1, PLAIN), route_prefix="", singleton=SingletonOptions(15, 20)
    )


def test_the_threshold_follows_the_batch_size(tmp_path: Path) -> None:
    assert read(tmp_path, {"extensions": {"queues": {"batchSize": 5}}}).queues.new_batch_threshold == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("listenerLockPeriod", "00:00:14"),
        ("listenerLockPeriod", "00:01:01"),
        ("listenerLockRecoveryPollingInterval", "00:00:14"),
    ],
)
def test_a_lock_lasts_as_long_as_storage_leases(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(HostStartError, match=rf"host\.json: singleton\.{name}: "):
        read(tmp_path, {"singleton": {name: value}})


def test_a_setting_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AzureFunctionsJobHost__extensions__queues__maxDequeueCount", "9")
    assert read(tmp_path, {"extensions": {"queues": {"maxDequeueCount": 3}}}).queues.max_dequeue_count == 9


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batchSize", 0),
        ("batchSize", 33),
        ("batchSize", "many"),
        ("newBatchThreshold", -1),
        ("maxDequeueCount", 0),
        ("visibilityTimeout", "30 s"),
        ("visibilityTimeout", [30]),
        ("maxPollingInterval", "00:00:00"),
        ("messageEncoding", "utf-8"),
    ],
)
def test_a_bad_value_is_named_with_its_place(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(HostStartError, match=rf"host\.json: extensions\.queues\.{name}: "):
        read(tmp_path, {"extensions": {"queues": {name: value}}})


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostStartError, match=r"absent\.json: cannot be read"):
        read_host_json(tmp_path / "absent.json")
    (tmp_path / "host.json").write_text("{")
    with pytest.raises(HostStartError, match=r"host\.json: is not JSON"):
        read_host_json(tmp_path / "host.json")
    with pytest.raises(HostStartError, match="extensions must be an object"):
        read(tmp_path, {"extensions": []})
