"""What stands in for the conftest.py of the SDK's own tests: the local broker and Azurite instead of Azure.

A pytest plugin. `__main__` starts both and says by environment variables where they are. Each test gets a hub of its
own, and credentials are the broker's key where the originals ask an identity provider. The tests stay as they are.
"""

import functools
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.eventhub import EventHubProducerClient, EventHubSharedKeyCredential, TransportType
from azure.eventhub._configuration import Configuration
from azure.eventhub._pyamqp import AMQPClient, ReceiveClient
from azure.eventhub._pyamqp import _transport as transport
from azure.eventhub._pyamqp.aio import _transport_async as transport_async
from azure.eventhub._pyamqp.authentication import SASTokenAuth
from azure.eventhub.aio import EventHubSharedKeyCredential as AsyncSharedKeyCredential
from azure.eventhub.extensions.checkpointstoreblob import BlobCheckpointStore
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore as AsyncBlobCheckpointStore

from local.broker.control import DEFAULT_KEY, DEFAULT_KEY_NAME, BrokerControl
from tests.sdk_live.report import NEEDS_TLS

PARTITION_COUNT = 2
INVALID_HOST = "invalid123.servicebus.windows.net"


def variable(name: str) -> str:
    return os.environ[f"SDK_LIVE_{name}"]


def broker() -> BrokerControl:
    return BrokerControl(int(variable("CONTROL_PORT")))


@pytest.fixture
def live_eventhub(plain_tcp_unless_asked: None) -> Iterator[dict[str, str]]:
    hub = f"eh{uuid.uuid4()}"
    host = f"127.0.0.1:{variable('AMQP_PORT')}"
    broker().create_hub(hub, PARTITION_COUNT)
    yield {
        "resource_group": "none",
        "hostname": host,
        "key_name": DEFAULT_KEY_NAME,
        "access_key": DEFAULT_KEY,
        "namespace": "local",
        "event_hub": hub,
        "consumer_group": "$Default",
        "partition": "0",
        "connection_str": connection_string(host, DEFAULT_KEY_NAME, DEFAULT_KEY, hub),
    }
    broker().delete_hub(hub)


def connection_string(host: str, key_name: str, key: str, hub: str) -> str:
    return (
        f"Endpoint=sb://{host}/;SharedAccessKeyName={key_name};SharedAccessKey={key};"
        f"UseDevelopmentEmulator=true;EntityPath={hub}"
    )


@pytest.fixture
def connection_str(live_eventhub: dict[str, str]) -> str:
    return live_eventhub["connection_str"]


@pytest.fixture
def invalid_hostname(live_eventhub: dict[str, str]) -> str:
    return connection_string(INVALID_HOST, DEFAULT_KEY_NAME, DEFAULT_KEY, live_eventhub["event_hub"])


@pytest.fixture
def invalid_key(live_eventhub: dict[str, str]) -> str:
    return connection_string(live_eventhub["hostname"], DEFAULT_KEY_NAME, "invalid", live_eventhub["event_hub"])


@pytest.fixture
def invalid_policy(live_eventhub: dict[str, str]) -> str:
    return connection_string(live_eventhub["hostname"], "invalid", DEFAULT_KEY, live_eventhub["event_hub"])


# Credentials


def key_credential(**_: object) -> EventHubSharedKeyCredential:
    return EventHubSharedKeyCredential(DEFAULT_KEY_NAME, DEFAULT_KEY)


def async_key_credential(**_: object) -> AsyncSharedKeyCredential:
    return AsyncSharedKeyCredential(DEFAULT_KEY_NAME, DEFAULT_KEY)


@pytest.fixture
def get_credential() -> Callable[..., EventHubSharedKeyCredential]:
    return key_credential


@pytest.fixture
def get_credential_async() -> Callable[..., AsyncSharedKeyCredential]:
    return async_key_credential


@pytest.fixture
def auth_credentials(live_eventhub: dict[str, str]) -> tuple[Any, ...]:
    return live_eventhub["hostname"], live_eventhub["event_hub"], key_credential


@pytest.fixture
def auth_credentials_async(live_eventhub: dict[str, str]) -> tuple[Any, ...]:
    return live_eventhub["hostname"], live_eventhub["event_hub"], async_key_credential


# Senders and receivers that are there before a test begins


@pytest.fixture
def receivers(live_eventhub: dict[str, str]) -> Iterator[list[ReceiveClient]]:
    host, hub = live_eventhub["hostname"], live_eventhub["event_hub"]
    uri = f"sb://{host}/{hub}"
    opened = []
    for partition in range(PARTITION_COUNT):
        receiver = ReceiveClient(
            host,
            f"amqps://{host}/{hub}/ConsumerGroups/{live_eventhub['consumer_group']}/Partitions/{partition}",
            auth=SASTokenAuth(uri, uri, DEFAULT_KEY_NAME, DEFAULT_KEY),
            network_trace=False,
            timeout=30,
            link_credit=500,
        )
        receiver.open()
        opened.append(receiver)
    yield opened
    for receiver in opened:
        receiver.close()


@pytest.fixture
def connstr_receivers(live_eventhub: dict[str, str], receivers: list[ReceiveClient]) -> tuple[Any, ...]:
    return live_eventhub["connection_str"], receivers


@pytest.fixture
def auth_credential_receivers(auth_credentials: tuple[Any, ...], receivers: list[ReceiveClient]) -> tuple[Any, ...]:
    return (*auth_credentials, receivers)


@pytest.fixture
def auth_credential_receivers_async(
    auth_credentials_async: tuple[Any, ...], receivers: list[ReceiveClient]
) -> tuple[Any, ...]:
    return (*auth_credentials_async, receivers)


@pytest.fixture
def senders(live_eventhub: dict[str, str]) -> Iterator[list[Any]]:
    client = EventHubProducerClient(live_eventhub["hostname"], live_eventhub["event_hub"], key_credential())
    opened = [client._create_producer(partition_id=partition) for partition in client.get_partition_ids()]
    yield opened
    for sender in opened:
        sender.close()
    client.close()


@pytest.fixture
def auth_credential_senders(auth_credentials: tuple[Any, ...], senders: list[Any]) -> tuple[Any, ...]:
    return (*auth_credentials, senders)


@pytest.fixture
def auth_credential_senders_async(auth_credentials_async: tuple[Any, ...], senders: list[Any]) -> tuple[Any, ...]:
    return (*auth_credentials_async, senders)


# Storage and management


@pytest.fixture
def checkpoint_store() -> BlobCheckpointStore:
    return BlobCheckpointStore.from_connection_string(variable("STORAGE"), f"blobcontainer{uuid.uuid4()}")


@pytest.fixture
def checkpoint_store_aio() -> AsyncBlobCheckpointStore:
    return AsyncBlobCheckpointStore.from_connection_string(variable("STORAGE"), f"blobcontainer{uuid.uuid4()}")


class Management:
    """Of Azure's management client what the tests use: an update of a hub, which detaches all its links."""

    @property
    def event_hubs(self) -> "Management":
        return self

    def get(self, *_: str) -> "Management":
        return self

    def as_dict(self) -> dict[str, Any]:
        return {"message_retention_in_days": 1}

    def create_or_update(self, _group: str, _namespace: str, hub: str, _properties: dict[str, Any]) -> None:
        broker().set_hub_status(hub, "Disabled")
        broker().set_hub_status(hub, "Active")


@pytest.fixture
def resource_mgmt_client() -> Management:
    return Management()


# How the tests are run


@pytest.fixture
def client_args() -> dict[str, Any]:
    return {}


@pytest.fixture(params=[False], ids=["pyamqp"])
def uamqp_transport(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=[TransportType.Amqp, TransportType.AmqpOverWebsocket], ids=["amqp", "ws"])
def socket_transport(request: pytest.FixtureRequest) -> TransportType:
    return TransportType(request.param)


@pytest.fixture
def timeout_factor() -> int:
    return 1


@pytest.fixture
def sleep() -> bool:
    return True


@pytest.fixture
def faultinjector() -> None:
    pytest.skip("the fault injector is a program of its own")


# Plain TCP where a test says nothing else; which tests do is noted where the SDK opens its sockets


@pytest.fixture(autouse=True)
def plain_tcp_unless_asked(monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]) -> None:
    def before_init(owner: type, action: Callable[[dict[str, Any]], None]) -> None:
        create = owner.__init__  # type: ignore[misc]

        @functools.wraps(create)
        def acting(self: Any, *args: Any, **kwargs: Any) -> None:
            action(kwargs)
            create(self, *args, **kwargs)

        monkeypatch.setattr(owner, "__init__", acting)

    def plain_by_default(options: dict[str, Any]) -> None:
        certificates = {"ssl_context", "connection_verify"}
        options.setdefault("use_tls", any(options.get(name) is not None for name in certificates))

    def note_tls(options: dict[str, Any]) -> None:
        if options.get("use_tls", True):
            record_property(NEEDS_TLS, "TLS")

    plain: list[type] = [Configuration, AMQPClient]
    secured: list[type] = [transport.SSLTransport, transport_async.AsyncTransport]
    websockets: list[type] = [transport.WebSocketTransport, transport_async.WebSocketTransportAsync]
    for owners, action in (
        (plain, plain_by_default),
        (secured, note_tls),
        (websockets, lambda _: record_property(NEEDS_TLS, "port 443")),
    ):
        for owner in owners:
            before_init(owner, action)


def pytest_configure(config: pytest.Config) -> None:
    for marker in ("liveTest", "livetest", "no_amqpproxy"):
        config.addinivalue_line("markers", f"{marker}: of the SDK's own")
