import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest

from local.broker.control import BrokerControlError
from tests.broker.clients import Broker, collect_sockets, running_broker


@pytest.fixture(autouse=True)
def sockets_left_by_the_sdk() -> Iterator[None]:
    yield
    collect_sockets()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker") / "broker.log", "--consumer-group", "loader") as broker:
        yield broker


@contextmanager
def fresh_hub(broker: Broker, partitions: int) -> Iterator[str]:
    name = f"hub-{uuid.uuid4().hex[:12]}"
    broker.control.create_hub(name, partitions)
    yield name
    broker.control.clear_faults()
    broker.control.delete_hub(name)


@pytest.fixture
def hub(broker: Broker) -> Iterator[str]:
    """With one partition, because the SDK opens three connections, half a second each, to send to a chosen one."""
    with fresh_hub(broker, 1) as name:
        yield name


@pytest.fixture
def wide_hub(broker: Broker) -> Iterator[str]:
    with fresh_hub(broker, 4) as name:
        yield name


@pytest.fixture
def send_only(broker: Broker) -> Iterator[dict[str, str]]:
    """The credentials of a key that may do no more than send."""
    broker.control.put_key("send-only", "send", "Send")
    yield {"key_name": "send-only", "key": "send"}
    with suppress(BrokerControlError):
        broker.control.delete_key("send-only")


@pytest.fixture
def clock(broker: Broker) -> Iterator[None]:
    """For tests that set the stand-in's clock: in the end it shows the machine's time again."""
    yield
    broker.control.set_clock(timedelta(0))
