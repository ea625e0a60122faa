"""Webhooks over the wire: what a receiver gets, and what is never called."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from shared.adapters import webhook_sender
from shared.adapters.webhook_sender import HttpWebhookSender
from shared.domain.alerts.subscription import SubscriptionDetails
from shared.errors import ConfigurationError
from shared.services.wiring import Services
from shared.settings import Settings
from tests.kit.world import World

LOCAL = Settings.from_environment({"RELAY_STORAGE": "UseDevelopmentStorage=true"})


class Receiver:
    """A server on a free port that answers as `answer` does; `got` are headers and bodies."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[], Awaitable[web.StreamResponse]] = self.taken
        self.url = ""
        self._release = asyncio.Event()

    async def taken(self) -> web.StreamResponse:
        return web.Response(status=204)

    async def silent(self) -> web.StreamResponse:
        await self._release.wait()
        return web.Response()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append((headers, await request.read()))
        return await self.answer()

    def release(self) -> None:
        self._release.set()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"http://127.0.0.1:{port}/hook"
    yield receiver
    receiver.release()
    await runner.cleanup()


class FixedResolver(AbstractResolver):
    """Every name stands for these addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """There is nothing to close."""


def verified(secret: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """The event, if its signature is right by what the scheme says, in other words than the app's."""
    scheme, _, encoded = headers["webhook-signature"].partition(",")
    assert scheme == "v1"
    prefix, _, key = secret.partition("_")
    assert prefix == "whsec"
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    mac = hmac.new(base64.standard_b64decode(key), digestmod=hashlib.sha256)
    mac.update(content)
    assert hmac.compare_digest(mac.digest(), base64.standard_b64decode(encoded))
    event: dict[str, Any] = json.loads(body)
    assert event["id"] == headers["webhook-id"]
    assert headers["content-type"] == "application/cloudevents+json"
    return event


def worker_of(world: World) -> Services:
    """One that is on the local stack and really sends."""
    return Services(replace(world.ports, webhooks=HttpWebhookSender()), LOCAL)


async def test_a_receiver_gets_what_was_signed(receiver: Receiver) -> None:
    world = World()
    worker = worker_of(world)
    created = await worker.alert_subscriptions.create(SubscriptionDetails(url=receiver.url))
    answer = await worker.alert_subscriptions.test(created.subscription.id)
    assert (answer.status, answer.problem) == (204, None)
    ((headers, body),) = receiver.got
    event = verified(created.secret, headers, body)
    assert (event["specversion"], event["type"]) == ("1.0", "profile-relay.alert.test")
    with pytest.raises(AssertionError):
        verified(created.secret, headers, body + b" ")
    with pytest.raises(AssertionError):
        verified(created.secret, headers | {"webhook-timestamp": "1"}, body)


async def test_what_is_local_is_not_called_elsewhere(receiver: Receiver) -> None:
    """Also where a subscription from a local stack came along."""
    world = World()
    with pytest.raises(ConfigurationError, match="/url"):
        await world.worker.alert_subscriptions.create(SubscriptionDetails(url=receiver.url))
    created = await worker_of(world).alert_subscriptions.create(SubscriptionDetails(url=receiver.url))
    deployed = world.new_worker(webhooks=HttpWebhookSender())
    answer = await deployed.alert_subscriptions.test(created.subscription.id)
    assert answer.status is None
    assert "expected an https address" in str(answer.problem)
    assert receiver.got == []


@pytest.mark.parametrize(
    ("status", "headers", "problem"),
    [
        (200, {}, None),
        (299, {}, None),
        (302, {"Location": "/elsewhere"}, "HTTP 302: redirects are not followed"),
        (307, {"Location": "/elsewhere"}, "HTTP 307: redirects are not followed"),
        (404, {}, "HTTP 404"),
        (500, {}, "HTTP 500"),
    ],
)
async def test_answers(receiver: Receiver, status: int, headers: dict[str, str], problem: str | None) -> None:
    async def answered() -> web.StreamResponse:
        return web.Response(status=status, headers=headers, text="what a receiver writes is nobody's business")

    receiver.answer = answered
    answer = await HttpWebhookSender().post(receiver.url, {"webhook-id": "e"}, b"{}")
    assert (answer.status, answer.problem) == (status, problem)
    assert len(receiver.got) == 1


async def test_one_that_does_not_answer_is_not_waited_for(receiver: Receiver) -> None:
    receiver.answer = receiver.silent
    answer = await HttpWebhookSender(timeout=0.2).post(receiver.url, {}, b"{}")
    assert (answer.status, answer.problem) == (None, "no answer within 0.2 s")


async def test_one_that_is_not_there(receiver: Receiver) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        answer = await HttpWebhookSender().post(f"http://127.0.0.1:{taken.getsockname()[1]}/secret", {}, b"{}")
    assert answer.problem == "the host cannot be reached (ClientConnectorError)"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["168.63.129.16"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
    ],
)
async def test_a_name_for_a_private_address_is_not_called(receiver: Receiver, addresses: list[str]) -> None:
    """The name is looked up for each event, so one that has changed since the last is of no use."""
    port = receiver.url.split(":")[2].split("/")[0]
    resolver = FixedResolver(*addresses)
    answer = await HttpWebhookSender(resolver=resolver).post(f"http://hooks.example.com:{port}/hook", {}, b"{}")
    assert (answer.status, resolver.asked, receiver.got) == (None, ["hooks.example.com"], [])
    assert answer.problem == "the host's name stands for an address that is not public: subscribe with a public one"


async def test_a_name_is_called_at_the_addresses_that_were_found(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_sender, "is_public_address", lambda address: address == "127.0.0.1")
    port = receiver.url.split(":")[2].split("/")[0]
    sender = HttpWebhookSender(resolver=FixedResolver("127.0.0.1"))
    answer = await sender.post(f"http://hooks.example.com:{port}/hook", {}, b"{}")
    assert (answer.status, answer.problem) == (204, None)
    ((headers, _),) = receiver.got
    assert headers["host"] == f"hooks.example.com:{port}"


async def test_a_name_that_is_looked_up_again_each_time(receiver: Receiver) -> None:
    resolver = FixedResolver("127.0.0.1")
    sender = HttpWebhookSender(resolver=resolver)
    for _ in range(2):
        await sender.post("https://hooks.example.com/", {}, b"{}")
    assert resolver.asked == ["hooks.example.com"] * 2


async def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """One would look the name up itself, and connect wherever it likes."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, receiver.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    resolver = FixedResolver("127.0.0.1")
    await HttpWebhookSender(resolver=resolver).post("http://hooks.example.com/", {}, b"{}")
    assert receiver.got == []
