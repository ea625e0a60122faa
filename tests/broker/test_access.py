"""Who may come in to the Event Hubs stand-in, and how it says no."""

import asyncio
import base64
import hashlib
import hmac
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote_plus

import pytest
from azure.core.credentials import AccessToken
from azure.eventhub import EventData, EventHubSharedKeyCredential
from azure.eventhub.aio import EventHubProducerClient
from azure.eventhub.exceptions import AuthenticationError, ConnectError, ConnectionLostError, EventHubError

from local.broker.control import BrokerControlError
from tests.broker.clients import (
    IMPATIENT,
    PATIENCE,
    SOCKETS_ARE_LEFT,
    Broker,
    last_sequence_numbers,
    producing,
    read,
    send,
    until,
)
from tests.kit.identity_endpoint import ISSUER, token_for

pytestmark = SOCKETS_ARE_LEFT


def signature(resource: str, *, key: str, expires_at: float) -> str:
    encoded = quote_plus(resource)
    digest = hmac.new(key.encode(), f"{encoded}\n{int(expires_at)}".encode(), hashlib.sha256).digest()
    # The SDK takes the first "se=" for the expiry; without this one it would not even send an expired signature.
    misleading = f"not-se={int(time.time()) + 3600}"
    fields = f"{misleading}&sr={encoded}&sig={quote_plus(base64.b64encode(digest).decode())}&se={int(expires_at)}"
    return f"SharedAccessSignature {fields}&skn=RootManageSharedAccessKey"


@pytest.mark.parametrize("credentials", [{"key": "another"}, {"key_name": "another"}], ids=["key", "key name"])
async def test_wrong_credentials_are_refused(broker: Broker, hub: str, credentials: dict[str, str]) -> None:
    async with producing(broker.connection_string(hub, **credentials)) as producer:
        with pytest.raises(AuthenticationError, match="CBS Token authentication failed"):
            await send(producer, "x")
    assert broker.control.stats().hubs[hub].transfers == 0


async def test_a_signature_is_good_for_its_audience_and_time(broker: Broker, hub: str) -> None:
    host = f"127.0.0.1:{broker.amqp_port}"

    async def accepts(resource: str, lifetime: int) -> bool:
        token = signature(resource, key="SAS_KEY_VALUE", expires_at=time.time() + lifetime)
        credential = f"SharedAccessSignature={token};UseDevelopmentEmulator=true"
        async with producing(f"Endpoint=sb://{host};{credential};EntityPath={hub}") as producer:
            try:
                await send(producer, "x")
            except AuthenticationError:
                return False
            return True

    hub_in_time, namespace_in_time, hub_expired, another_hub, part_of_a_name = await asyncio.gather(
        accepts(f"sb://{host}/{hub}", 60),
        accepts(f"sb://{host}/", 60),
        accepts(f"sb://{host}/{hub}", -60),
        accepts(f"sb://{host}/{hub}-2", 60),
        accepts(f"sb://{host}/{hub[:-1]}", 60),
    )
    assert (hub_in_time, namespace_in_time) == (True, True)
    assert (hub_expired, another_hub, part_of_a_name) == (False, False, False)
    assert broker.control.stats().hubs[hub].events == 2


async def test_a_key_may_do_what_it_claims(broker: Broker, hub: str, send_only: dict[str, str]) -> None:
    broker.control.put_key("listen-only", "listen", "Listen")
    listen_only = {"key_name": "listen-only", "key": "listen"}

    async with producing(broker.connection_string(hub, **send_only)) as producer:
        await send(producer, "x")
    assert [event.body_as_str() for event in await read(broker.connection_string(hub, **listen_only), "0", 1)] == ["x"]
    async with producing(broker.connection_string(hub, **listen_only)) as producer:
        assert await producer.get_partition_ids() == ["0"]
        with pytest.raises(ConnectionLostError, match=r"Unauthorized access\. 'Send' claim"):
            await send(producer, "y")
    assert broker.control.stats().hubs[hub].events == 1
    broker.control.delete_key("listen-only")


async def test_a_key_that_is_regenerated_or_deleted_lets_nobody_in_any_more(
    broker: Broker, hub: str, send_only: dict[str, str]
) -> None:
    async with (
        producing(broker.connection_string(hub, **send_only)) as by_old,
        producing(broker.connection_string(hub)) as by_other,
    ):
        await asyncio.gather(send(by_old, "x"), send(by_other, "x"))
        broker.control.put_key("send-only", "regenerated", "Send")
        await until(lambda: broker.control.stats().hubs[hub].links_open == 1)
        with pytest.raises(EventHubError):
            await send(by_old, "y")
        await send(by_other, "y")
    broker.control.delete_key("send-only")
    async with producing(broker.connection_string(hub, key_name="send-only", key="regenerated")) as producer:
        with pytest.raises(AuthenticationError, match="CBS Token authentication failed"):
            await send(producer, "z")
    assert broker.control.stats().hubs[hub].events == 3


def listed(
    broker: Broker, query: str = "", *, key_name: str = "RootManageSharedAccessKey", key: str
) -> tuple[int, str]:
    """Status and body of the service's own list of hubs."""
    token = EventHubSharedKeyCredential(key_name, key).get_token(f"sb://127.0.0.1:{broker.amqp_port}/").token
    connection = HTTPConnection("127.0.0.1", broker.control_port, timeout=5)
    try:
        connection.request("GET", f"/$Resources/EventHubs{query}", headers={"Authorization": token})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_hubs_are_listed_as_a_feed_to_whoever_may_manage(
    broker: Broker, hub: str, wide_hub: str, send_only: dict[str, str]
) -> None:
    status, feed = listed(broker, key="SAS_KEY_VALUE")
    assert status == 200
    titles = re.findall(r'<title type="text">(.*?)</title>', feed)
    assert titles == ["EventHubs", *sorted(broker.control.hubs())]
    assert {hub, wide_hub} <= set(titles)
    assert listed(broker, "?$skip=0&$top=1", key="SAS_KEY_VALUE")[1].count("<entry>") == 1
    assert listed(broker, "?$skip=999&$top=1", key="SAS_KEY_VALUE")[1].count("<entry>") == 0
    assert listed(broker, **send_only)[0] == 401
    assert listed(broker, key="WRONG")[0] == 401


@pytest.mark.parametrize(
    ("key", "claims", "advice"),
    [("", ["Send"], '"key" is a text'), ("k", [], '"claims" is a list of Manage'), ("k", ["send"], '"claims"')],
)
def test_a_key_that_makes_no_sense_is_refused(broker: Broker, key: str, claims: list[Any], advice: str) -> None:
    with pytest.raises(BrokerControlError, match=advice) as refused:
        broker.control.put_key("odd", key, *claims)
    assert refused.value.status == 400
    with pytest.raises(BrokerControlError, match="GET /keys lists them"):
        broker.control.delete_key("odd")


async def test_a_hub_that_is_not_there_gets_no_token(broker: Broker) -> None:
    """The SDK does not tell it from a wrong key: of a reply with an error condition it reads no status."""
    async with producing(broker.connection_string("nowhere")) as producer:
        with pytest.raises(AuthenticationError, match="CBS Token authentication failed"):
            await send(producer, "x")


async def test_a_chosen_partition_is_where_events_go_and_an_unknown_one_is_not_found(
    broker: Broker, wide_hub: str
) -> None:
    async with producing(broker.connection_string(wide_hub)) as producer:
        await send(producer, "a", "b", partition_id="3")
        await producer.send_event(EventData("c"), partition_id="3", timeout=5)
        assert await last_sequence_numbers(producer) == [-1, -1, -1, 2]
        # The SDK refuses partitions that it does not know of; it still knows the ones that the hub had before.
        broker.control.delete_hub(wide_hub)
        broker.control.create_hub(wide_hub, 2)
        with pytest.raises(ConnectError, match="partition '2' is invalid: it should be between 0 and 1"):
            await send(producer, "x", partition_id="2")


HUBS = "https://eventhubs.azure.net/"


class Identity:
    """A credential whose tokens are good until `ends_at`, a moment of the broker's clock."""

    def __init__(self, ends_at: float, *, resource: str = HUBS, issuer: str = ISSUER) -> None:
        self.ends_at = ends_at
        self._resource, self._issuer = resource, issuer

    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(token_for(self._resource, self.ends_at, self._issuer), int(time.time()) + 3_600)

    async def close(self) -> None:
        return

    async def __aenter__(self) -> "Identity":
        return self

    async def __aexit__(self, *_: object) -> None:
        return


@asynccontextmanager
async def producing_by_token(broker: Broker, hub: str, identity: Identity) -> AsyncIterator[EventHubProducerClient]:
    address = f"127.0.0.1:{broker.amqp_port}"
    client = EventHubProducerClient(address, hub, identity, use_tls=False, **IMPATIENT)
    async with asyncio.timeout(PATIENCE), client:
        yield client


@pytest.mark.parametrize(
    ("identity", "accepted"),
    [
        (Identity(time.time() + 3_600), True),
        (Identity(time.time() + 3_600, resource="https://eventhubs.azure.net"), True),
        (Identity(time.time() - 1), False),
        (Identity(time.time() + 3_600, resource="https://storage.azure.com"), False),
        (Identity(time.time() + 3_600, issuer="https://sts.windows.net/another/"), False),
    ],
    ids=["good", "without a slash", "ended", "of another service", "of another issuer"],
)
async def test_a_token_of_an_identity_is_good_for_the_service_and_its_time(
    broker: Broker, hub: str, identity: Identity, accepted: bool
) -> None:
    async with producing_by_token(broker, hub, identity) as producer:
        if accepted:
            await send(producer, "x")
        else:
            with pytest.raises(AuthenticationError, match="CBS Token authentication failed"):
                await send(producer, "x")
    assert broker.control.stats().hubs[hub].events == accepted


async def test_a_link_ends_with_its_token_and_the_next_one_needs_another(broker: Broker, hub: str) -> None:
    identity = Identity(time.time() + 600)
    async with producing_by_token(broker, hub, identity) as producer:
        await send(producer, "x")
        broker.control.set_clock(timedelta(seconds=601))
        try:
            await until(lambda: broker.control.stats().hubs[hub].links_open == 0)
            with pytest.raises(EventHubError):
                await send(producer, "y")
            identity.ends_at += 600
            await send(producer, "z")
        finally:
            broker.control.set_clock(timedelta(0))
    assert broker.control.stats().hubs[hub].events == 2
