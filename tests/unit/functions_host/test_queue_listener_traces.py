"""The stand-in's listeners do what the real ones did: tests/fixtures/queue-listener has the facts of their traces.

Where the traces themselves are found beside the checkout, the facts are held against them, too.
"""

import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from local.functions_host.errors import HostStartError
from local.functions_host.host_json import configuration_of
from local.functions_host.storage.message_encoding import BASE64
from shared.domain.timespans import parse_timespan
from tests.kit.host_replay import replay
from tests.kit.listener_facts import agrees, facts, record_of

CHECKOUT = Path(__file__).parents[3]
FIXTURES = CHECKOUT / "tests" / "fixtures" / "queue-listener"
TRACES = CHECKOUT.parent / "shared" / "platform" / "queue-listener" / "traces"
SEEDS = range(3)


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


OPTIONS = fixture("options.json")
SCENARIOS = {
    scenario["trace"]: scenario
    for path in sorted(FIXTURES.glob("*.json"))
    if path.name != "options.json"
    for scenario in fixture(path.name)
}


def trace(name: str) -> Any:
    """As it was recorded; None where it is not found."""
    path = TRACES / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def differences(expected: dict[str, Any], actual: dict[str, Any]) -> dict[str, Any]:
    """Of each fact that is another, what it is."""
    return {name: actual[name] for name, value in expected.items() if not agrees(value, actual[name])}


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_stand_in_does_what_the_real_listener_did(name: str, seed: int) -> None:
    scenario = SCENARIOS[name]
    record = replay(scenario, seed=seed)
    assert differences(scenario["expect"], facts(record, list(scenario["expect"]), scenario.get("since", 0.0))) == {}


@pytest.mark.parametrize("case", OPTIONS["cases"], ids=lambda case: case["name"])
def test_options_are_read_as_the_real_host_reads_them(case: dict[str, Any]) -> None:
    with patch.dict(os.environ, {"DOTNET_PROCESSOR_COUNT": "2"}):
        if case.get("refused"):
            with pytest.raises(HostStartError, match=r"host\.json: extensions\.queues\.\w+: "):
                configuration_of({"extensions": {"queues": case["queues"]}}, Path("host.json"))
            return
        options = configuration_of({"extensions": {"queues": case["queues"]}}, Path("host.json")).queues
    assert {
        "batchSize": options.batch_size,
        "newBatchThreshold": options.new_batch_threshold,
        "maxDequeueCount": options.max_dequeue_count,
        "visibilityTimeout": options.visibility_timeout,
        "maxPollingInterval": options.max_polling_interval,
        "base64": options.encoding is BASE64,
    } == OPTIONS["defaults"] | case["differs"]


def test_the_facts_are_those_of_the_traces() -> None:
    """Of the recorded traces, where they are; without them there is nothing to hold the facts against."""
    for name, scenario in SCENARIOS.items():
        if (recorded := trace(name)) is not None:
            found = facts(record_of(recorded), list(scenario["expect"]), scenario.get("since", 0.0))
            assert differences(scenario["expect"], found) == {}, name
            said = [host.get("hostJson", {}) for host in scenario["hosts"]]
            assert said == [start["hostJson"] for start in recorded["settings"]]


def test_the_options_are_those_of_the_trace() -> None:
    """As above."""
    if (recorded := trace(OPTIONS["trace"])) is None:
        return
    assert [case["name"] for case in OPTIONS["cases"]] == list(recorded["cases"])
    for case, told in zip(OPTIONS["cases"], recorded["cases"].values(), strict=True):
        assert (case["queues"], "differs" in case) == (told["given"], told["accepted"])
        if told["accepted"]:
            read = dict(told["options"])
            read["base64"] = read.pop("messageEncoding") == "Base64"
            for name in ("visibilityTimeout", "maxPollingInterval"):
                read[name] = parse_timespan(read[name]).total_seconds()
            assert read == OPTIONS["defaults"] | case["differs"]
