"""What the app takes from host.json, and from the settings that override it."""

import json
from pathlib import Path

import pytest

from local.functions_host.host_json import read_host_json
from local.stack.part import PROJECT
from shared.host_json import FailedMessages, failed_messages

PREFIX = "AzureFunctionsJobHost__extensions__queues__"


def test_the_apps_own_is_read_as_the_host_reads_it() -> None:
    queues = read_host_json(PROJECT / "host.json").queues
    assert failed_messages({}) == FailedMessages(queues.visibility_timeout, queues.max_dequeue_count)


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("00:00:01", 1), ("00:00:00.200", 0.2), ("01:02:03", 3_723), ("1.00:00:00", 86_400), ("soon", 0), ("30", 0)],
)
def test_settings_override_it(tmp_path: Path, delay: str, seconds: float) -> None:
    file = tmp_path / "host.json"
    queues = {"visibilityTimeout": "00:00:30", "maxDequeueCount": 10}
    file.write_text(json.dumps({"extensions": {"queues": queues}}), encoding="utf-8")
    environment = {f"{PREFIX}visibilityTimeout": delay, f"{PREFIX}maxDequeueCount": "3"}
    assert failed_messages(environment, file) == FailedMessages(seconds, 3)
    assert failed_messages({f"{PREFIX}maxDequeueCount": "many"}, file) == FailedMessages(30, 1)
