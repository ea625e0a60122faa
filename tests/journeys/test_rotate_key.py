"""Rotating a destination's key under load on the real local stack: whatever becomes of the old key, nothing is lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from local.eventually import eventually
from local.stack.local_stack import LocalStack
from shared.adapters.event_hubs.verifier import EventHubsVerifier
from shared.adapters.secrets.stores import secret_store
from shared.domain.configuration.given_connection import NewKey, SasKey
from shared.domain.configuration.model import Authentication, parse_configuration_file
from shared.errors import ConnectionFailedError
from shared.services.destinations.connect import ConnectDestinations
from shared.settings import Settings
from tests.kit.builders import destination, item, membership
from tests.kit.running_relay import RunningRelay

QUALIFIES = {"segmentMembership": membership(1)}
SOMETHING_PARKED = '"undelivered": {"crm"'
IMPATIENT = {"CONFIG_CACHE_SECONDS": "0.5", "SEND_TIMEOUT": "4"}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[LocalStack]:
    with LocalStack(tmp_path, hubs={"crm": 2}) as running:
        running.broker.put_key("old", "the-old-key-of-the-hub", "Send")
        running.broker.put_key("new", "the-new-key-of-the-hub", "Send")
        yield running


def connecting(stack: LocalStack) -> ConnectDestinations:
    settings = Settings.from_environment(stack.settings | IMPATIENT)
    return ConnectDestinations(
        secrets=secret_store(settings),
        verifier=EventHubsVerifier(settings.local_broker_control_port),
        setting=settings.event_hubs,
        local=settings.is_local,
        old_key_needed=settings.backfill_delay,
    )


def configured(authentication: Authentication) -> dict[str, Any]:
    document = authentication.model_dump(by_alias=True)
    return {
        "audiences": [{"id": "a"}],
        "destinations": [destination("crm", authentication=document)],
        "dataflows": [{"id": "crm", "audiences": ["a"]}],
    }


class Traffic:
    """A new profile in the audience with each message."""

    def __init__(self, relay: RunningRelay) -> None:
        self._relay = relay
        self._numbers = count()
        self.sent: set[str] = set()

    async def one(self) -> None:
        profile_id = f"p{next(self._numbers)}"
        await self._relay.send(item(profile_id, 1, **QUALIFIES))
        self.sent.add(profile_id)

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        async def forever() -> None:
            while True:
                await self.one()
                await asyncio.sleep(0.02)

        task = asyncio.create_task(forever())
        yield
        task.cancel()
        await asyncio.wait({task})

    async def until_sent(self, more: int) -> None:
        """Until that many more messages are on the queue."""
        wanted = len(self.sent) + more
        async with asyncio.timeout(30):
            while len(self.sent) < wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


def old_key(stack: LocalStack) -> SasKey:
    namespace = f"127.0.0.1:{stack.event_hubs.ports.amqp}"
    return SasKey(type="sas", namespace=namespace, key_name="old", key=SecretStr("the-old-key-of-the-hub"))


@pytest.mark.runs_the_app
@pytest.mark.parametrize("in_time", [True, False], ids=["after the margin", "too early"])
async def test_no_change_is_lost_when_a_key_is_rotated(stack: LocalStack, in_time: bool) -> None:
    service = connecting(stack)
    connected = await service.connect("crm", old_key(stack), "crm")
    relay = RunningRelay(stack, configured(connected.members["authentication"]))
    await relay.start(lease_seconds=3, settings=IMPATIENT)
    traffic = Traffic(relay)

    async with traffic.flowing():
        await traffic.until_sent(50)
        before = parse_configuration_file(configured(connected.members["authentication"])).destinations[0]
        rotated = await service.rotate(before, NewKey(key=SecretStr("the-new-key-of-the-hub"), key_name="new"))
        if not in_time:
            stack.broker.delete_key("old")
            assert await eventually(lambda: SOMETHING_PARKED in relay.log, timeout=240)
        await relay.apply(configured(rotated.members["authentication"]))
        if in_time:
            await asyncio.sleep(service.old_key_needed)  # what is waited for is nothing that could be seen
            stack.broker.delete_key("old")
        await traffic.until_sent(100)
    await relay.delivered()

    exported = {export.properties["profileId"] for export in await relay.exports()}
    assert exported == traffic.sent
    assert len(traffic.sent) >= 150
    assert await relay.poisoned() == 0
    assert (SOMETHING_PARKED in relay.log) is not in_time  # nothing even had to be sent again
    assert not any(key in relay.log for key in ("the-old-key-of-the-hub", "the-new-key-of-the-hub"))


async def test_a_key_that_does_not_work_leaves_everything_as_it_was(stack: LocalStack) -> None:
    service = connecting(stack)
    connected = await service.connect("crm", old_key(stack), "crm")
    secrets = Path(stack.settings["LOCAL_SECRETS_FILE"]).read_text()  # noqa: ASYNC240
    before = parse_configuration_file(configured(connected.members["authentication"])).destinations[0]
    with pytest.raises(ConnectionFailedError, match="does not know this key of 'old'") as failed:
        await service.rotate(before, NewKey(key=SecretStr("a-key-that-was-mistyped")))
    assert failed.value.kind == "bad-key"
    assert Path(stack.settings["LOCAL_SECRETS_FILE"]).read_text() == secrets  # noqa: ASYNC240
