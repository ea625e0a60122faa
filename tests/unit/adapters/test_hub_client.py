"""One client at a time: who needs one at once waits for the same, and a failure is told to all of them."""

import asyncio
from typing import Any, cast

import pytest
from azure.eventhub.aio import EventHubProducerClient

from shared.adapters.event_hubs.client import HubClient, NoAnswerError
from shared.errors import SecretError, SendError

CONCURRENT = 8


class Client:
    """Stands for the SDK's, of which only the end is of interest here."""

    closed = False

    async def close(self) -> None:
        self.closed = True


class Clients:
    """Makes them; each takes until `ready` is set."""

    def __init__(self) -> None:
        self.made: list[Client] = []
        self.attempts = 0
        self.failure: Exception | None = None
        self.ready = asyncio.Event()

    async def new(self) -> EventHubProducerClient:
        self.attempts += 1
        await self.ready.wait()
        if self.failure is not None:
            raise self.failure
        self.made.append(Client())
        return cast(EventHubProducerClient, self.made[-1])


async def which(client: EventHubProducerClient) -> Any:
    await asyncio.sleep(0)
    return client


async def broken(_: EventHubProducerClient) -> None:
    raise ValueError("broken")


@pytest.fixture
async def clients() -> Clients:
    return Clients()


def requests(hub: HubClient) -> "asyncio.Future[list[Any]]":
    return asyncio.gather(*(hub.request(which) for _ in range(CONCURRENT)), return_exceptions=True)


async def test_requests_at_once_share_a_client(clients: Clients) -> None:
    hub = HubClient("d", clients.new, 5.0)
    waiting = requests(hub)
    await asyncio.sleep(0)
    clients.ready.set()
    assert await waiting == clients.made * CONCURRENT
    assert await hub.request(which) is clients.made[0]
    assert clients.attempts == 1
    await hub.close()
    assert clients.made[0].closed


async def test_requests_at_once_share_the_failure_and_the_next_tries_anew(clients: Clients) -> None:
    hub = HubClient("d", clients.new, 5.0)
    clients.failure = SecretError("no key")
    clients.ready.set()
    assert {str(error) for error in await requests(hub)} == {"destination 'd': no key"}
    assert clients.attempts == 1
    clients.failure = None
    assert await hub.request(which) is clients.made[0]
    await hub.close()


async def test_a_client_with_which_a_request_failed_is_replaced(clients: Clients) -> None:
    hub = HubClient("d", clients.new, 5.0)
    clients.ready.set()
    first = await hub.request(which)
    with pytest.raises(SendError, match="ValueError: broken"):
        await hub.request(broken)
    assert await hub.request(which) is clients.made[1] is not first
    await hub.close()
    assert all(client.closed for client in clients.made)


async def test_a_client_that_is_long_in_coming_is_no_answer(clients: Clients) -> None:
    hub = HubClient("d", clients.new, 0.01)
    results = await requests(hub)
    assert {type(result) for result in results} == {NoAnswerError}
    assert "its key was not read within 0.01 s" in str(results[0])
    await hub.close()


async def test_one_who_gives_up_does_not_end_the_wait_of_the_others(clients: Clients) -> None:
    hub = HubClient("d", clients.new, 5.0)
    impatient, patient = asyncio.ensure_future(hub.request(which)), asyncio.ensure_future(hub.request(which))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.wait({impatient})
    clients.ready.set()
    assert await patient is clients.made[0]
    await hub.close()


async def test_closing_ends_the_wait(clients: Clients) -> None:
    hub = HubClient("d", clients.new, 5.0)
    waiting = asyncio.ensure_future(hub.request(which))
    await asyncio.sleep(0)
    await hub.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
