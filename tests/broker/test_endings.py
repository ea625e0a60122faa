"""How connections, links and tokens come to an end, and that the app's sender loses and doubles nothing by it."""

import asyncio
import inspect
import json
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.event_hubs.connections import HubConnections
from shared.adapters.event_hubs.sender import EventHubsSender
from shared.adapters.secrets.stores import NoSecrets
from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export
from shared.settings import Connection
from tests.broker.clients import PATIENCE, SOCKETS_ARE_LEFT, Broker, running_broker, until

pytestmark = [*SOCKETS_ARE_LEFT, pytest.mark.usefixtures("clock")]
CLIENT = Path(__file__).parent / "endings.js"
CONNECTION_IDLE_SECONDS = 240


async def played(scenario: str, broker: Broker, hub: str) -> Any:
    """What a client sees that is written frame by frame."""
    process = await asyncio.create_subprocess_exec(
        *("node", str(CLIENT), scenario, str(broker.amqp_port), str(broker.control_port), hub),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(2 * PATIENCE):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return json.loads(output)


async def test_a_connection_without_a_word_for_four_minutes_is_closed_and_one_that_keeps_alive_is_not(
    broker: Broker, hub: str
) -> None:
    seen = await played("silence", broker, hub)
    assert seen["closed"] == {
        "condition": "amqp:connection:forced",
        "description": "The connection was inactive for more than the allowed 240000 milliseconds and is closed by "
        "the broker.",
    }
    assert seen["keptAlive"] is True


async def test_a_link_ends_with_its_token_and_not_before(broker: Broker, hub: str) -> None:
    seen = await played("token", broker, hub)
    assert seen["before"] is True
    assert seen["condition"] == "amqp:unauthorized-access"
    assert seen["description"].startswith("ExpiredToken: The token is expired. Expiration time: '")


async def test_a_connection_beyond_the_limit_is_refused_and_room_is_made_by_one_that_ends(tmp_path: Path) -> None:
    with running_broker(tmp_path / "broker.log", "--hub", "crm:1", "--max-connections", "2") as broker:
        seen = await played("limit", broker, "crm")
    assert seen["refused"] == {
        "condition": "amqp:resource-limit-exceeded",
        "description": "ConnectionsQuotaExceeded: the namespace allows 2 connections.",
    }
    assert seen["afterOneEnded"] is True


# The app's sender after a pause


@pytest.fixture
async def sender(broker: Broker, hub: str) -> AsyncIterator[EventHubsSender]:
    connection = Connection("EVENTHUBS", broker.connection_string(hub).replace(f";EntityPath={hub}", ""))
    sender = EventHubsSender(HubConnections(lambda _: connection, NoSecrets(), local=True), PATIENCE)
    yield sender
    await sender.close()


async def send(sender: EventHubsSender, hub: str, version: int) -> None:
    destination = Destination(id=hub, name=hub, event_hub_name=hub)
    export = Export(destination, "p", version, 1, ("audience",), 1_768_000_000_000_000, b"{}")
    async with asyncio.timeout(PATIENCE):
        await sender.enqueue(export)


def test_an_unused_connection_is_closed_before_event_hubs_would() -> None:
    defaults = {name: each.default for name, each in inspect.signature(EventHubsSender).parameters.items()}
    looked_every = min(defaults["outdated_after"], defaults["unused_after"])
    assert defaults["unused_after"] + looked_every < CONNECTION_IDLE_SECONDS


@pytest.mark.parametrize(
    "pauses",
    [[CONNECTION_IDLE_SECONDS + 1], [CONNECTION_IDLE_SECONDS + 1] * 2, [3700]],
    ids=["idle", "idle twice", "beyond the token's time"],
)
async def test_the_first_event_after_a_pause_neither_fails_nor_doubles(
    broker: Broker, hub: str, sender: EventHubsSender, pauses: list[int]
) -> None:
    await send(sender, hub, 1)
    for number, pause in enumerate(pauses, start=2):
        broker.control.set_clock(timedelta(seconds=pause))
        await until(lambda: broker.control.stats().hubs[hub].links_open == 0)
        broker.control.set_clock(timedelta(0))
        await send(sender, hub, number)
        assert broker.control.stats().hubs[hub].events == number


async def test_the_first_event_on_a_link_that_ended_alone_neither_fails_nor_doubles(
    broker: Broker, hub: str, sender: EventHubsSender
) -> None:
    """As after half an hour on a connection that others keep in use."""
    await send(sender, hub, 1)
    broker.control.set_hub_status(hub, "SendDisabled")
    await until(lambda: broker.control.stats().hubs[hub].links_open == 0)
    broker.control.set_hub_status(hub, "Active")
    await send(sender, hub, 2)
    assert broker.control.stats().hubs[hub].events == 2
