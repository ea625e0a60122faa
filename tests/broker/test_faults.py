"""What each fault of the Event Hubs stand-in looks like to the SDK, which sends what was rejected or lost once more."""

import asyncio
import time
from dataclasses import dataclass, replace
from typing import get_args

import pytest
from azure.eventhub.exceptions import (
    AuthenticationError,
    ConnectError,
    ConnectionLostError,
    EventDataSendError,
    EventHubError,
    OperationTimeoutError,
)

from local.broker.control import Fault, FaultKind, HubStats
from tests.broker.clients import (
    PATIENCE,
    SOCKETS_ARE_LEFT,
    Broker,
    last_sequence_numbers,
    producing,
    send,
    until,
)

pytestmark = SOCKETS_ARE_LEFT
# Spent twice: within it the SDK connects anew, which takes a busy machine seconds.
STALL_SECONDS = 6.0


@dataclass(frozen=True)
class Scenario:
    """One event is sent; then, with `fault` armed, another. What should come of that other one."""

    fault: Fault
    raises: type[Exception] | None = None
    error: str | None = None
    fired: int = 2
    stored: int = 0

    def __str__(self) -> str:
        return f"{self.fault.kind}-{'once' if self.fault.count == 1 else 'always'}"


SCENARIOS = [
    Scenario(Fault(kind="throttle"), EventDataSendError, "server-busy"),
    Scenario(Fault(kind="throttle", count=1), fired=1, stored=1),
    Scenario(Fault(kind="reject"), EventDataSendError, "internal-error"),
    Scenario(Fault(kind="reject", condition="amqp:not-allowed", count=2), EventDataSendError, "not-allowed"),
    Scenario(Fault(kind="quota-exceeded"), EventDataSendError, "resource-limit-exceeded"),
    Scenario(Fault(kind="publisher-revoked"), EventDataSendError, "publisher-revoked"),
    Scenario(Fault(kind="size-exceeded"), EventDataSendError, "link:message-size-exceeded"),
    Scenario(Fault(kind="detach"), ConnectionLostError, "link:detach-forced", fired=1),
    Scenario(Fault(kind="detach-after-store"), ConnectionLostError, "link:detach-forced", fired=1, stored=1),
    Scenario(Fault(kind="drop-connection"), ConnectError, "socket-error"),
    Scenario(Fault(kind="drop-connection", count=1), fired=1, stored=1),
    Scenario(Fault(kind="drop-after-store"), ConnectError, "socket-error", stored=2),
    Scenario(Fault(kind="drop-after-store", count=1), fired=1, stored=2),
    Scenario(Fault(kind="stall"), OperationTimeoutError),
    Scenario(Fault(kind="stall", count=1), fired=1, stored=1),
    Scenario(Fault(kind="stall-after-store"), OperationTimeoutError, stored=2),
    Scenario(Fault(kind="stall-after-store", count=1), fired=1, stored=2),
    Scenario(Fault(kind="delay", delay_ms=300), fired=1, stored=1),
    Scenario(Fault(kind="auth-failure"), fired=0, stored=1),
]


@dataclass(frozen=True)
class Result:
    raised: type[Exception] | None
    error: str | None
    seconds: float
    fired: int
    stats: HubStats


@pytest.fixture(scope="module")
def results(broker: Broker) -> dict[Scenario, Result]:
    """All scenarios side by side, each in a hub of its own: one after the other the SDK's waiting takes minutes."""
    hubs = {scenario: f"fault-{number}" for number, scenario in enumerate(SCENARIOS)}
    ready = asyncio.Barrier(len(SCENARIOS) + 1)
    armed = asyncio.Event()

    async def play(scenario: Scenario, hub: str) -> tuple[type[Exception] | None, str | None, float]:
        async with producing(broker.connection_string(hub)) as producer:
            await send(producer, "before")
            await ready.wait()
            await armed.wait()
            started = time.monotonic()
            raised, condition = None, None
            try:
                await send(producer, "x", timeout=STALL_SECONDS if "stall" in scenario.fault.kind else 10)
            except EventHubError as error:
                raised, condition = type(error), error.error
            return raised, condition, time.monotonic() - started

    async def play_all() -> list[tuple[type[Exception] | None, str | None, float]]:
        playing = [asyncio.create_task(play(scenario, hub)) for scenario, hub in hubs.items()]
        await ready.wait()
        broker.control.set_faults(*(replace(scenario.fault, hub=hub) for scenario, hub in hubs.items()))
        armed.set()
        return await asyncio.gather(*playing)

    for hub in hubs.values():
        broker.control.create_hub(hub, 1)
    outcomes = asyncio.run(asyncio.wait_for(play_all(), 2 * PATIENCE))
    fired = {fault.hub: fault.fired for fault in broker.control.faults()}
    stats = broker.control.stats().hubs
    broker.control.clear_faults()
    return {
        scenario: Result(*outcome, fired=fired[hub], stats=stats[hub])
        for (scenario, hub), outcome in zip(hubs.items(), outcomes, strict=True)
    }


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_what_the_sdk_makes_of_a_fault(results: dict[Scenario, Result], scenario: Scenario) -> None:
    result = results[scenario]
    assert (result.raised, result.error) == (scenario.raises, scenario.error)
    assert (result.fired, result.stats.events - 1) == (scenario.fired, scenario.stored)
    refused = result.fired if scenario.raises is EventDataSendError else int(scenario.fault.kind == "throttle")
    assert result.stats.rejected == refused
    assert result.seconds >= (scenario.fault.delay_ms or 0) / 1000
    assert result.stats.links_open == 0


def test_every_fault_kind_of_a_transfer_is_tried() -> None:
    elsewhere = {"refuse-connection"}
    assert {scenario.fault.kind for scenario in SCENARIOS} | elsewhere == set(get_args(FaultKind))


async def test_a_refused_token_is_an_authentication_error(broker: Broker, hub: str) -> None:
    broker.control.set_faults(Fault(kind="auth-failure", hub=hub, count=1))
    async with producing(broker.connection_string(hub)) as producer:
        with pytest.raises(AuthenticationError, match="CBS Token authentication failed"):
            await producer.get_partition_ids()
        assert await producer.get_partition_ids() == ["0"]
    assert [fault.fired for fault in broker.control.faults()] == [1]


async def test_refused_connections_and_the_end_of_existing_ones(broker: Broker, hub: str) -> None:
    async with producing(broker.connection_string(hub)) as producer:
        await send(producer, "before")
        broker.control.set_faults(Fault(kind="refuse-connection"))
        await until(lambda: broker.control.stats().connections_open == 0)
        with pytest.raises(ConnectError):
            await send(producer, "x")
        (rule,) = broker.control.faults()
        broker.control.clear_faults()
        await send(producer, "after")
    assert rule.fired >= 1
    assert broker.control.stats().hubs[hub].events == 2


async def test_a_fault_waits_for_its_turn_and_keeps_to_its_partition(broker: Broker, wide_hub: str) -> None:
    broker.control.set_faults(Fault(kind="throttle", hub=wide_hub, partition="1", after=1))
    async with producing(broker.connection_string(wide_hub)) as producer:
        for _ in range(5):
            await send(producer, "x")
        # The sixth transfer is partition 1's second; the SDK sends it again, and partition 2 takes it.
        assert broker.control.faults()[0].fired == 0
        await send(producer, "x")
        assert broker.control.faults()[0].fired == 1
        assert await last_sequence_numbers(producer) == [1, 0, 1, 0]
