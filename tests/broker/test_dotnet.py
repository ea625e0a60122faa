"""The Event Hubs stand-in, met as the .NET SDK meets it: its frames are replayed by Node.js, so that no .NET is needed.

Where `../shared/tools/hubclient`, that SDK as a program, is beside the checkout, it is run, too.
"""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.broker.clients import PATIENCE, Broker, producing, send

CLIENT = Path(__file__).parent / "dotnet.js"
HUBCLIENT = Path(__file__).parents[3] / "shared" / "tools" / "hubclient"


@pytest.fixture
def played(broker: Broker, hub: str) -> Iterator[Any]:
    """Plays a scenario on a fresh hub of one partition: what was seen."""

    def play(scenario: str) -> Any:
        ports = (str(broker.amqp_port), str(broker.control_port))
        done = subprocess.run(
            ["node", str(CLIENT), scenario, *ports, hub],
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    yield play
    broker.control.set_clock(timedelta(0))


def test_a_hub_tells_of_itself_to_a_token_in_the_request(played: Any, hub: str) -> None:
    seen = played("properties")
    assert "MSSBCBS" in seen["mechanisms"]
    assert seen["settleModes"] == [[1, 0], [1, 0]], "as asked for"
    assert seen["announced"] == {"idleTimeOut": 240_000, "channelMax": 4999}
    assert seen["status"]["status-code"] == {"type": "Int", "value": 200}
    described = seen["hub"]
    assert described["name"]["value"] == hub
    assert described["partition_ids"] == {"type": "Array32", "value": ["0"]}
    assert described["partition_count"]["type"].endswith("Int")
    assert described["georeplication_factor"]["value"] == 1
    assert seen["unknown"]["status-code"] == {"type": "Int", "value": 400}
    assert seen["unknown"]["error-condition"] == {"type": "Sym8", "value": "com.microsoft:argument-out-of-range"}
    assert seen["stranger"]["status-code"]["value"] == 401


def test_credit_that_comes_along_with_the_attach_brings_no_event_ahead_of_the_answer(played: Any) -> None:
    seen = played("read")
    assert seen["order"] == ["attach", "transfer", "transfer"]
    assert seen["settleModes"] == [1, 0]
    assert seen["settled"], "the disposition of what was sent"
    assert seen["annotations"]["x-opt-sequence-number"]["value"] == 0
    last = seen["lastEnqueued"]
    assert last["last_enqueued_sequence_number"]["value"] == 1
    assert {name: field["type"] for name, field in last.items() if name.endswith("utc")} == {
        "last_enqueued_time_utc": "Timestamp",
        "runtime_info_retrieval_time_utc": "Timestamp",
    }


def test_credit_is_given_one_by_one_and_taken_back(played: Any) -> None:
    assert played("credit") == {"read": ["one", "two", "three"], "drained": {"credit": 0, "count": 10}}


def test_a_reader_displaces_those_of_no_higher_level(played: Any) -> None:
    """Levels 0, 1, 1, 0 and none attach one after the other."""
    stolen = "amqp:link:stolen"
    assert played("levels") == {
        "1": {"displaced": True, "condition": stolen},
        "2": {"displaced": True, "condition": stolen},
        "3": {"displaced": False, "condition": stolen},
        "4": {"displaced": False, "condition": stolen},
    }


def test_refusals_say_what_the_sdk_reads(played: Any) -> None:
    seen = played("refusals")
    unknown_hub, unknown_group = seen["unknownHub"], seen["unknownGroup"]
    assert unknown_hub["status-code"] == {"type": "Int", "value": 404}
    for text in (unknown_hub["status-description"]["value"], unknown_group["description"]):
        assert text.startswith("The messaging entity '")
        assert "could not be found" in text
    assert unknown_group["condition"] == "amqp:not-found"
    assert seen["beyondTheEnd"] == {
        "condition": "com.microsoft:argument-error",
        "description": "The supplied sequence number '50' is invalid. The last sequence number in the system is '-1'",
    }


def test_a_plain_client_signs_in_by_name_and_key(played: Any) -> None:
    assert played("plain") == {"refused": 1, "settled": True, "rcvSettleMode": 1}


def test_a_link_that_does_nothing_for_half_an_hour_is_detached(played: Any) -> None:
    seen = played("idle")
    assert seen["condition"] == "amqp:link:detach-forced"
    assert "has been idle for 1800000ms" in seen["description"]


# Where .NET's buffered producer puts these keys in a hub of four partitions, as `hubclient keys` tells.
PARTITION_OF_KEY = {
    "a": 0,
    "b": 0,
    "profile-1": 3,
    "profile-2": 0,
    "ключ": 2,
    "長い鍵": 3,
    "a longer key of many bytes: 0123456789": 0,
}


async def test_a_key_goes_where_producers_that_buffer_put_it(broker: Broker, wide_hub: str) -> None:
    for key, partition in PARTITION_OF_KEY.items():
        async with producing(broker.connection_string(wide_hub)) as producer:
            before = await producer.get_partition_properties(str(partition))
            await send(producer, "x", partition_key=key)
            after = await producer.get_partition_properties(str(partition))
        assert after["last_enqueued_sequence_number"] == before["last_enqueued_sequence_number"] + 1, key


# The SDK itself


async def hubclient(*arguments: str) -> list[Any]:
    environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    process = await asyncio.create_subprocess_exec(
        HUBCLIENT, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, (output, errors)
    return [json.loads(line) for line in output.splitlines()]


async def test_the_dotnet_sdk_sends_and_reads(broker: Broker, wide_hub: str) -> None:
    if not HUBCLIENT.exists():
        pytest.skip(f"the .NET SDK as a program is not at {HUBCLIENT}; the tests above replay its frames")
    connection = broker.connection_string(wide_hub)
    assert (await hubclient("properties", connection))[0]["partitions"] == ["0", "1", "2", "3"]
    await hubclient("send", connection, "20")
    await hubclient("send", connection, "20", "--buffered")
    read = await hubclient("read", connection, "--prefetch", "0", "--seconds", "5", "--track", "--level", "3")
    assert read[-1] == {"read": 40, "ended": 0}
    told = await hubclient("keys", connection, *PARTITION_OF_KEY)
    assert told[-1] == {"keys": len(PARTITION_OF_KEY), "differ": 0}
    assert {each["key"]: int(each["plain"]) for each in told[:-1]} == PARTITION_OF_KEY
