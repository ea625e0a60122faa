"""The control port of the Event Hubs stand-in."""

import pytest
from azure.eventhub.exceptions import AuthenticationError

from local.broker.control import BrokerControl, BrokerControlError, Fault, HubStats
from tests.broker.clients import SOCKETS_ARE_LEFT, Broker, producing, send, until

pytestmark = SOCKETS_ARE_LEFT


async def test_a_deleted_hub_closes_its_links_and_is_gone(broker: Broker, hub: str) -> None:
    async with producing(broker.connection_string(hub)) as producer:
        await send(producer, "x")
        assert broker.control.stats().hubs[hub].links_open == 1
        broker.control.delete_hub(hub)
        with pytest.raises(AuthenticationError):
            await send(producer, "x")
    assert hub not in broker.control.hubs()
    broker.control.create_hub(hub, 1)


def test_hubs_are_created_once(broker: Broker, hub: str) -> None:
    broker.control.create_hub(hub, 1)
    assert broker.control.hubs()[hub] == 1
    with pytest.raises(BrokerControlError, match="cannot change to 3: delete the hub first") as conflict:
        broker.control.create_hub(hub, 3)
    assert conflict.value.status == 409
    with pytest.raises(BrokerControlError, match="1 to 1024 partitions") as invalid:
        broker.control.create_hub(f"{hub}-2", 0)
    assert invalid.value.status == 400
    with pytest.raises(BrokerControlError, match="no hub name"):
        broker.control.create_hub("a/b", 1)
    with pytest.raises(BrokerControlError, match="GET /hubs lists them") as missing:
        broker.control.delete_hub(f"{hub}-2")
    assert missing.value.status == 404


async def test_statistics_count_what_came_in(broker: Broker, hub: str) -> None:
    assert broker.control.stats().hubs[hub] == HubStats(0, 0, 0, 0, connections_open=0, links_open=0)
    async with producing(broker.connection_string(hub)) as producer:
        await send(producer, "a" * 100, "b" * 100)
        await send(producer, "c" * 100)
        during = broker.control.stats()
    await until(lambda: broker.control.stats().hubs[hub].links_open == 0)
    counted = during.hubs[hub]
    assert (counted.transfers, counted.events, counted.rejected) == (2, 3, 0)
    assert 300 < counted.bytes < 600
    assert (counted.connections_open, counted.links_open) == (1, 1)
    assert during.connections_open >= 1


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (Fault(kind="nonsense"), '"kind" is one of throttle, '),  # type: ignore[arg-type]
        (Fault(kind="delay"), '"delay" needs "delayMs"'),
        (Fault(kind="throttle", count=0), '"count" is 1 or more'),
        (Fault(kind="throttle", condition="amqp:not-allowed"), '"condition" is for "reject" only'),
        (Fault(kind="auth-failure", partition="0"), "knows no partition"),
        (Fault(kind="refuse-connection", hub="crm"), "meets all hubs"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_a_fault_that_makes_no_sense_is_refused(broker: Broker, hub: str, fault: Fault, advice: str) -> None:
    kept = Fault(kind="throttle", hub=hub, count=3, after=2, partition="0")
    broker.control.set_faults(kept)
    with pytest.raises(BrokerControlError, match=advice) as refused:
        broker.control.set_faults(fault)
    assert refused.value.status == 400
    assert broker.control.faults() == [kept]


def test_an_unreachable_control_port_says_so() -> None:
    with pytest.raises(BrokerControlError, match=r"does not answer on 127\.0\.0\.1:1 "):
        BrokerControl(1, timeout=1).hubs()
