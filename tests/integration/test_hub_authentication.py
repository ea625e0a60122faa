"""Destinations with keys of their own: the key comes from the secrets, and another key means another connection."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from local.eventually import eventually
from local.stack.local_stack import LocalStack
from shared.adapters.event_hubs.connections import HubConnections, access_to
from shared.adapters.event_hubs.sender import EventHubsSender
from shared.domain.configuration.credentials import IdentityCredentials
from shared.domain.configuration.model import Destination, IdentityAuthentication, SasAuthentication, SecretReference
from shared.domain.exports.export import Export
from shared.errors import SecretError, SendError
from shared.ports.exports import Acknowledgement
from shared.settings import Connection
from tests.conftest import UniqueNames
from tests.kit.builders import NOW
from tests.kit.fakes.configuration import MemorySecrets

SECRET = "profile-relay-crm"

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # the SDK leaves them to the garbage collector
    pytest.mark.filterwarnings("ignore:loop is closed:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def sockets_left_by_the_sdk() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def hub(stack: LocalStack, names: UniqueNames) -> Iterator[str]:
    """With policies `first` and `second` of its own, of keys that are called the same."""
    stack.broker.create_hub(names.hub, 2)
    for key in ("first", "second"):
        stack.broker.put_key(f"{key}-{names.hub}", key, "Send")
    yield names.hub
    for key in ("first", "second"):
        stack.broker.delete_key(f"{key}-{names.hub}")


@pytest.fixture
def secrets() -> MemorySecrets:
    return MemorySecrets()


def no_setting(name: str) -> Connection:
    raise AssertionError(f"{name} is not what the destination is connected by")


@pytest.fixture
async def sender(secrets: MemorySecrets) -> AsyncIterator[EventHubsSender]:
    sender = EventHubsSender(HubConnections(no_setting, secrets, local=True), 10.0, outdated_after=0.3)
    yield sender
    await sender.close()


class Keys:
    """What a destination on the local stack is configured with, by the key that it is to use."""

    def __init__(self, stack: LocalStack, hub: str, secrets: MemorySecrets) -> None:
        self._namespace = f"127.0.0.1:{stack.event_hubs.ports.amqp}"
        self._hub = hub
        self._secrets = secrets

    async def export(self, key: str, profile_id: str = "p", **changed: Any) -> Export:
        """An export for a configuration in which `key` was just stored."""
        version = await self._secrets.store(SECRET, key)
        key_name = changed.pop("key_name", f"{key}-{self._hub}")
        return self.export_with(version, key_name, profile_id, **changed)

    def export_with(self, version: str | None, key_name: str, profile_id: str = "p", **changed: Any) -> Export:
        authentication = SasAuthentication(
            type="sas",
            namespace=self._namespace,
            key_name=key_name,
            secret=SecretReference(name=SECRET, version=version),
        ).model_copy(update=changed)
        destination = Destination(id="crm", name="CRM", event_hub_name=self._hub, authentication=authentication)
        return Export(destination, profile_id, NOW, 7, ("audience",), NOW, b"{}")


@pytest.fixture
def keys(stack: LocalStack, hub: str, secrets: MemorySecrets) -> Keys:
    return Keys(stack, hub, secrets)


async def acknowledged(*futures: "asyncio.Future[Acknowledgement]") -> None:
    async with asyncio.timeout(30):
        await asyncio.gather(*futures)


async def test_a_key_is_read_once_for_a_connection(
    stack: LocalStack, hub: str, secrets: MemorySecrets, sender: EventHubsSender, keys: Keys
) -> None:
    export = await keys.export("first")
    await acknowledged(*(sender.enqueue(export) for _ in range(20)))
    await acknowledged(sender.enqueue(export))
    assert (stack.broker.stats().hubs[hub].events, secrets.reads) == (21, 1)


async def test_a_key_that_cannot_be_read_fails_the_export_with_the_reason(
    secrets: MemorySecrets, sender: EventHubsSender, keys: Keys
) -> None:
    export = await keys.export("first")
    secrets.failure = SecretError("the vault cannot be reached")
    with pytest.raises(SendError, match=r"^destination 'crm': the vault cannot be reached$"):
        await acknowledged(sender.enqueue(export))
    secrets.failure = None
    await acknowledged(sender.enqueue(export))


async def test_a_vault_that_does_not_answer_holds_up_nobody_for_longer_than_a_send(
    stack: LocalStack, hub: str, keys: Keys
) -> None:
    class SilentSecrets(MemorySecrets):
        async def read(self, name: str, version: str | None = None) -> str:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

    sender = EventHubsSender(HubConnections(no_setting, SilentSecrets(), local=True), 0.1)
    with pytest.raises(SendError, match=r"its key was not read within 0\.1 s"):
        await acknowledged(sender.enqueue(await keys.export("first")))
    waiting = sender.enqueue(await keys.export("first"))
    await asyncio.sleep(0)
    await sender.close()
    assert waiting.cancelled()


async def test_a_wrong_key_is_told_without_it(sender: EventHubsSender, keys: Keys, hub: str) -> None:
    export = await keys.export("second", key_name=f"first-{hub}")
    with pytest.raises(SendError, match="does not know this key") as refused:
        await acknowledged(sender.enqueue(export))
    assert refused.value.code == "bad-key"
    assert "SharedAccessSignature" not in str(refused.value)


async def test_another_key_gets_a_connection_of_its_own_and_the_unused_one_is_closed(
    stack: LocalStack, hub: str, secrets: MemorySecrets, sender: EventHubsSender, keys: Keys
) -> None:
    old, new = await keys.export("first"), await keys.export("second")
    await acknowledged(sender.enqueue(old))
    await acknowledged(sender.enqueue(new), sender.enqueue(old))  # who decided before may still send by the old one
    of_each = 1
    assert stack.broker.stats().hubs[hub].connections_open == 2 * of_each

    async def only_the_new_one_is_left() -> bool:
        await acknowledged(sender.enqueue(new))
        return stack.broker.stats().hubs[hub].connections_open == of_each

    assert await eventually(only_the_new_one_is_left)
    stack.broker.put_key(f"first-{hub}", "regenerated", "Send")
    await acknowledged(sender.enqueue(new))
    assert secrets.reads == 2


async def test_a_connection_of_an_outdated_key_is_not_closed_while_it_is_waited_for(
    stack: LocalStack, hub: str, secrets: MemorySecrets, keys: Keys
) -> None:
    sender = EventHubsSender(HubConnections(no_setting, secrets, local=True), 10.0, outdated_after=0.01)
    old, new = await keys.export("first"), await keys.export("second")
    waiting = [sender.enqueue(old), sender.enqueue(new), sender.enqueue(old)]
    await acknowledged(*waiting)
    assert stack.broker.stats().hubs[hub].events == 3
    await sender.close()


async def test_without_a_version_the_newest_key_counts(
    stack: LocalStack, hub: str, secrets: MemorySecrets, sender: EventHubsSender, keys: Keys
) -> None:
    await secrets.store(SECRET, "wrong")
    await secrets.store(SECRET, "first")
    await acknowledged(sender.enqueue(keys.export_with(None, f"first-{hub}")))
    assert stack.broker.stats().hubs[hub].events == 1


@pytest.mark.parametrize("namespace", ["127.0.0.1:5672", "localhost:5672"])
async def test_nothing_on_this_machine_is_connected_to_outside_the_local_stack(
    secrets: MemorySecrets, keys: Keys, namespace: str
) -> None:
    sender = EventHubsSender(HubConnections(no_setting, secrets, local=False), 10.0)
    with pytest.raises(SendError, match="authentication/namespace: expected the name of an Event Hubs namespace"):
        await acknowledged(sender.enqueue(await keys.export("first", namespace=namespace)))
    assert secrets.reads == 0
    await sender.close()


async def test_an_identity_needs_no_secret(secrets: MemorySecrets) -> None:
    authentication = IdentityAuthentication(type="managed-identity", namespace="contoso", client_id="4c0f")
    destination = Destination(id="crm", name="CRM", event_hub_name="crm", authentication=authentication)
    access = await HubConnections(no_setting, secrets, local=False).access(destination)
    assert access.credentials == IdentityCredentials("contoso.servicebus.windows.net", "4c0f")
    client = access.client()
    assert (client._address.hostname, client.eventhub_name) == ("contoso.servicebus.windows.net", "crm")
    assert secrets.reads == 0
    await client.close()


async def test_the_identity_that_is_named_is_the_one_that_is_used() -> None:
    asked: list[IdentityCredentials] = []

    def remember(identity: IdentityCredentials) -> Any:
        asked.append(identity)
        return object()

    named = IdentityCredentials("contoso.servicebus.windows.net", "4c0f")
    await access_to(named, "crm", remember).client().close()
    assert asked == [named]
