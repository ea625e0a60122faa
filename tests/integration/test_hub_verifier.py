"""Verification against the stand-in: each thing that can be wrong is told apart, and no event is ever sent."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from local.broker.control import Fault
from local.eventually import eventually
from local.stack.local_stack import LocalStack
from shared.adapters.event_hubs.listing import MOST_BYTES, PAGE
from shared.adapters.event_hubs.verifier import EventHubsVerifier
from shared.domain.configuration.credentials import IdentityCredentials, SasCredentials
from shared.ports.connections import ConnectionProblem, Verified
from tests.conftest import UniqueNames

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # the SDK leaves them to the garbage collector
    pytest.mark.filterwarnings("ignore:loop is closed:ResourceWarning"),
]
ROOT_KEY = ("RootManageSharedAccessKey", "SAS_KEY_VALUE")


@pytest.fixture(autouse=True)
def nothing_left_behind(stack: LocalStack) -> Iterator[None]:
    yield
    stack.broker.clear_faults()
    gc.collect()


@pytest.fixture
def hub(stack: LocalStack, names: UniqueNames) -> str:
    stack.broker.create_hub(names.hub, 3)
    return names.hub


@pytest.fixture
def key_with(stack: LocalStack, names: UniqueNames) -> Iterator[Any]:
    """Makes a policy with these claims; its name and key."""
    made = []

    def make(*claims: Any) -> tuple[str, str]:
        made.append(f"{'-'.join(claims)}-{names.hub}")
        stack.broker.put_key(made[-1], "a-key", *claims)
        return made[-1], "a-key"

    yield make
    for name in made:
        stack.broker.delete_key(name)


def namespace_of(stack: LocalStack) -> str:
    return f"127.0.0.1:{stack.event_hubs.ports.amqp}"


@pytest.fixture
def verifier(stack: LocalStack) -> EventHubsVerifier:
    return EventHubsVerifier(stack.event_hubs.ports.control)


async def test_a_key_that_may_send_is_verified_without_an_event(
    stack: LocalStack, hub: str, verifier: EventHubsVerifier, key_with: Any
) -> None:
    credentials = SasCredentials(namespace_of(stack), *key_with("Send"))
    assert await verifier.verify(credentials, hub) == Verified(("0", "1", "2"))
    stats = stack.broker.stats().hubs[hub]
    assert (stats.transfers, stats.events) == (0, 0)

    async def nothing_is_left_open() -> bool:
        return stack.broker.stats().hubs[hub].links_open == 0

    assert await eventually(nothing_is_left_open)


def kind_of(found: object) -> str:
    assert isinstance(found, ConnectionProblem)
    assert "a-key" not in found.message
    return found.kind


async def test_what_is_wrong_is_told_apart(
    stack: LocalStack, hub: str, verifier: EventHubsVerifier, key_with: Any
) -> None:
    here, (sender, _) = namespace_of(stack), key_with("Send")
    unknown_hub, wrong_key, unknown_policy, no_claim, nobody = await asyncio.gather(
        verifier.verify(SasCredentials(here, sender, "a-key"), f"{hub}-2"),
        verifier.verify(SasCredentials(here, sender, "another"), hub),
        verifier.verify(SasCredentials(here, "nobody", "a-key"), hub),
        verifier.verify(SasCredentials(here, *key_with("Listen")), hub),
        verifier.verify(SasCredentials("127.0.0.1:1", sender, "a-key"), hub),
    )
    # Of a refused token the SDK tells no status: a hub that is not there looks like a wrong key.
    assert kind_of(unknown_hub) == kind_of(wrong_key) == kind_of(unknown_policy) == "bad-key"
    assert kind_of(no_claim) == "no-send-claim"
    assert kind_of(nobody) == "unreachable"


async def test_a_namespace_that_does_not_answer_is_unreachable(hub: str) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    credentials = SasCredentials(f"127.0.0.1:{silent.getsockname()[1]}", *ROOT_KEY)
    assert kind_of(await EventHubsVerifier(timeout=0.3).verify(credentials, hub)) == "unreachable"
    silent.close()


async def test_a_refused_connection_is_unreachable(stack: LocalStack, hub: str, verifier: EventHubsVerifier) -> None:
    stack.broker.set_faults(Fault(kind="refuse-connection"))
    found = await verifier.verify(SasCredentials(namespace_of(stack), *ROOT_KEY), hub)
    assert kind_of(found) == "unreachable"


@pytest.mark.parametrize("failure", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")])
async def test_a_name_that_dns_does_not_know_is_an_unknown_host(failure: Exception) -> None:
    async def fail(_: str) -> None:
        raise failure

    found = await EventHubsVerifier(resolve=fail).verify(SasCredentials("c.servicebus.windows.net", *ROOT_KEY), "crm")
    assert kind_of(found) == "unknown-host"


class Identity:
    """Gets a token, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure

    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        if self._failure is not None:
            raise self._failure
        return AccessToken("an-access-token", 4_102_444_800)


async def known(_: str) -> None:
    """As DNS answers for every name."""


async def test_an_app_without_the_identity_is_told() -> None:
    failing: Any = Identity(ClientAuthenticationError("Identity not found"))
    verifier = EventHubsVerifier(resolve=known, identity=lambda _: failing)
    credentials = IdentityCredentials("contoso.servicebus.windows.net", "4c0f")
    for found in (await verifier.verify(credentials, "crm"), await verifier.list_hubs(credentials)):
        assert kind_of(found) == "no-identity"
        assert "managed identity 4c0f" in getattr(found, "message", "")


async def test_an_identity_endpoint_that_is_out_is_not_taken_for_a_missing_identity() -> None:
    failing: Any = Identity(ClientAuthenticationError("the identity endpoint answers 500"))
    verifier = EventHubsVerifier(resolve=known, identity=lambda _: failing)
    credentials = IdentityCredentials("contoso.servicebus.windows.net", None)
    for found in (await verifier.verify(credentials, "crm"), await verifier.list_hubs(credentials)):
        assert kind_of(found) == "sign-in-failing"
        assert "answers 500" in getattr(found, "message", "")


# The list of hubs


async def test_hubs_are_listed_to_whoever_may_manage(
    stack: LocalStack, hub: str, verifier: EventHubsVerifier, key_with: Any
) -> None:
    here = namespace_of(stack)
    manages = await verifier.list_hubs(SasCredentials(here, *key_with("Manage")))
    assert manages == tuple(sorted(stack.broker.hubs()))
    assert hub in manages
    for refused in (SasCredentials(here, *key_with("Send")), SasCredentials(here, "nobody", "a-key")):
        assert kind_of(await verifier.list_hubs(refused)) == "no-manage-claim"


async def test_more_hubs_than_a_page_holds_are_all_listed(
    stack: LocalStack, names: UniqueNames, verifier: EventHubsVerifier
) -> None:
    hubs = [f"{names.hub}-{number}" for number in range(PAGE + 1)]
    for name in hubs:
        stack.broker.create_hub(name, 1)
    listed = await verifier.list_hubs(SasCredentials(namespace_of(stack), *ROOT_KEY))
    for name in hubs:
        stack.broker.delete_hub(name)
    assert isinstance(listed, tuple)
    assert len(listed) == len(set(listed))
    assert set(hubs) <= set(listed)


async def test_without_the_stands_in_own_list_there_is_none(stack: LocalStack) -> None:
    found = await EventHubsVerifier().list_hubs(SasCredentials(namespace_of(stack), *ROOT_KEY))
    assert kind_of(found) == "other"


class Answer:
    """What the namespace answers with, and what it was asked."""

    def __init__(self) -> None:
        self.response = web.Response()
        self.asked: list[tuple[str, str]] = []

    async def give(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, request.headers.get("Authorization", "")))
        return self.response


@pytest.fixture
def answer() -> Answer:
    return Answer()


@pytest.fixture
async def asking(answer: Answer) -> AsyncIterator[EventHubsVerifier]:
    """A verifier whose namespace answers with `answer`."""
    app = web.Application()
    app.router.add_get("/{path:.*}", answer.give)
    runner = web.AppRunner(app)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    identity: Any = Identity()
    yield EventHubsVerifier(listening.getsockname()[1], identity=lambda _: identity)
    await runner.cleanup()


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (web.Response(status=302, headers={"Location": "/elsewhere"}), "other"),
        (web.Response(status=307, headers={"Location": "http://169.254.169.254/"}), "other"),
        (web.Response(status=200, text="<html/>"), "other"),
        (web.Response(status=200, body=b"x" * (MOST_BYTES + 1)), "other"),
        (web.Response(status=401), "no-manage-claim"),
        (web.Response(status=403, text="<Detail>Ip has been prevented to connect</Detail>"), "blocked-by-firewall"),
        (web.Response(status=503), "throttled"),
        (web.Response(status=500), "other"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.status),
)
async def test_whatever_the_namespace_answers_is_told(
    asking: EventHubsVerifier, answer: Answer, response: web.Response, kind: str
) -> None:
    answer.response = response
    assert kind_of(await asking.list_hubs(SasCredentials("127.0.0.1:1", "send", "a-key"))) == kind
    assert [path for path, _ in answer.asked] == ["/$Resources/EventHubs"]  # no redirect is followed


async def test_an_identity_shows_its_token(asking: EventHubsVerifier, answer: Answer) -> None:
    answer.response = web.Response(text='<feed xmlns="http://www.w3.org/2005/Atom"/>')
    assert await asking.list_hubs(IdentityCredentials("127.0.0.1:1")) == ()
    assert answer.asked == [("/$Resources/EventHubs", "Bearer an-access-token")]


async def test_nobody_there_to_list_hubs_is_unreachable() -> None:
    found = await EventHubsVerifier(1).list_hubs(SasCredentials("127.0.0.1:1", *ROOT_KEY))
    assert kind_of(found) == "unreachable"
