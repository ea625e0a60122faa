"""Several links over one connection, which the SDK does not offer: what is used of it that it does not promise."""

import asyncio
import datetime
import gc
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.eventhub import EventData, TransportType
from azure.eventhub.aio import EventHubProducerClient, EventHubSharedKeyCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.broker.control import DEFAULT_KEY, DEFAULT_KEY_NAME
from local.stack.local_stack import LocalStack
from shared.adapters.event_hubs.connections import HubAccess, access_to, trusted_certificates
from shared.adapters.event_hubs.hub_connection import HubConnection, KeptAccess, NoAnswerError
from shared.adapters.event_hubs.links import Links
from shared.adapters.kept_tokens import KeptTokens
from shared.domain.configuration.credentials import IdentityCredentials, SasCredentials
from shared.errors import FailureCode, HeldBackError, NoSignInError, SecretError, SendError
from tests.conftest import UniqueNames

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # the SDK leaves them to the garbage collector
    pytest.mark.filterwarnings("ignore:loop is closed:ResourceWarning"),
]
PARTITIONS = ("0", "1", "2", "3")


@pytest.fixture(autouse=True)
def sockets_left_by_the_sdk() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def hub(stack: LocalStack, names: UniqueNames) -> str:
    stack.broker.create_hub(names.hub, len(PARTITIONS))
    return names.hub


async def send(links: Links, partition: str, events: int) -> None:
    batch = links.new_batch(partition)
    for _ in range(events):
        batch.add(EventData(b"{}"))
    await links.send(partition, batch)


@asynccontextmanager
async def closing(client: EventHubProducerClient) -> AsyncIterator[Links]:
    links = Links(client)
    try:
        yield links
    finally:
        await links.close()


async def test_all_links_and_questions_share_one_connection(stack: LocalStack, hub: str) -> None:
    credentials = SasCredentials(f"127.0.0.1:{stack.event_hubs.ports.amqp}", DEFAULT_KEY_NAME, DEFAULT_KEY)
    before = stack.broker.stats().connections_open
    async with closing(access_to(credentials, hub).client()) as links:
        assert not links.connected
        assert await links.partition_ids() == PARTITIONS
        await asyncio.gather(*(links.open(each) for each in PARTITIONS))
        await links.open("0")  # is open already
        for each in PARTITIONS * 2:
            await send(links, each, 3)
        stats = stack.broker.stats()
        assert (links.connected, stats.connections_open - before) == (True, 1)
        found = stats.hubs[hub]
        assert (found.events, found.links_open, found.transfers) == (24, 4, 8)
    assert stack.broker.stats().hubs[hub].links_open == 0


async def test_no_connection_reads_the_certificates_anew(
    stack: LocalStack, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes 30 ms, and the event loop with all that is under way waits for it."""
    trusted_certificates()
    monkeypatch.setattr(ssl, "SSLContext", None)
    credentials = SasCredentials(f"127.0.0.1:{stack.event_hubs.ports.amqp}", DEFAULT_KEY_NAME, DEFAULT_KEY)
    async with closing(access_to(credentials, hub).client()) as links:
        await links.open("0")


async def test_a_batch_takes_what_the_link_takes(stack: LocalStack, hub: str) -> None:
    credentials = SasCredentials(f"127.0.0.1:{stack.event_hubs.ports.amqp}", DEFAULT_KEY_NAME, DEFAULT_KEY)
    async with closing(access_to(credentials, hub).client()) as links:
        await links.open("1")
        batch = links.new_batch("1")
        assert batch.max_size_in_bytes == 1_048_576
        with pytest.raises(ValueError, match="size limit"):
            batch.add(EventData(b"x" * 1_048_576))


# TLS, as every namespace in Azure asks for it


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    plain = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(pem, pkcs8, plain) + signed.public_bytes(pem))
    return file


@pytest.fixture
async def tls_port(stack: LocalStack, certificate: Path) -> AsyncIterator[int]:
    """Where TLS ends before the stand-in."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    copying: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", stack.event_hubs.ports.amqp)
        for task in (asyncio.create_task(copy(reader, there[1])), asyncio.create_task(copy(there[0], writer))):
            copying.add(task)
            task.add_done_callback(copying.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for task in list(copying):
        task.cancel()
    await asyncio.gather(*copying, return_exceptions=True)


@pytest.mark.parametrize("trusted", [True, False])
async def test_the_certificate_of_the_namespace_counts(
    stack: LocalStack, hub: str, certificate: Path, tls_port: int, trusted: bool
) -> None:
    context = ssl.create_default_context(cafile=certificate) if trusted else ssl.create_default_context()
    key = EventHubSharedKeyCredential(DEFAULT_KEY_NAME, DEFAULT_KEY)
    client = EventHubProducerClient(
        "localhost",
        hub,
        key,
        retry_total=0,
        ssl_context=context,
        custom_endpoint_address=f"sb://localhost:{tls_port}",
        transport_type=TransportType.Amqp,
    )
    async with closing(client) as links:
        if trusted:
            await asyncio.gather(*(links.open(each) for each in PARTITIONS))
            await send(links, "2", 1)
            assert stack.broker.stats().hubs[hub].events == 1
        else:
            with pytest.raises(Exception, match="certificate verify failed"):
                await links.open("0")


# What opens the hub


class Accesses:
    """Reads what opens a hub; each takes until `ready` is set."""

    def __init__(self) -> None:
        self.reads = 0
        self.failure: Exception | None = None
        self.ready = asyncio.Event()

    async def read(self) -> HubAccess:
        self.reads += 1
        await self.ready.wait()
        if self.failure is not None:
            raise self.failure
        return access_to(SasCredentials("127.0.0.1:1", "send", "key"), "crm")


async def test_who_needs_the_key_at_once_waits_for_the_same_reading() -> None:
    accesses = Accesses()
    kept = KeptAccess(accesses.read)
    impatient, *waiting = [asyncio.ensure_future(kept.get()) for _ in range(8)]
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.wait({impatient})
    accesses.ready.set()
    found = await asyncio.gather(*waiting)
    assert {id(each) for each in found} == {id(await kept.get())}
    assert accesses.reads == 1
    kept.forget()
    assert await kept.get() is not found[0]
    assert accesses.reads == 2


@pytest.mark.parametrize(
    ("failure", "kind", "code"),
    [
        (SecretError("no key"), SendError, FailureCode.NO_CREDENTIALS),
        (NoSignInError("no key"), HeldBackError, FailureCode.SIGN_IN_FAILING),
    ],
)
async def test_a_failure_to_read_it_is_shared_and_the_next_one_reads_anew(
    failure: SecretError, kind: type[SendError], code: FailureCode
) -> None:
    accesses = Accesses()
    accesses.failure = failure
    accesses.ready.set()
    connection = HubConnection("d", KeptAccess(accesses.read), 5.0)
    results = await asyncio.gather(*(connection.partitions() for _ in range(8)), return_exceptions=True)
    assert {str(each) for each in results} == {"destination 'd': no key"}
    assert {(type(each), each.code) for each in results if isinstance(each, SendError)} == {(kind, code)}
    assert accesses.reads == 1
    accesses.failure = None
    with pytest.raises(SendError) as refused:
        await connection.partitions()
    assert (refused.value.code, accesses.reads) == ("unreachable", 2)
    await connection.close()


class FailingIdentity:
    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        raise ClientAuthenticationError("the identity endpoint answers 500")

    async def close(self) -> None: ...


async def test_where_the_app_cannot_sign_in_the_hub_is_not_blamed(stack: LocalStack, hub: str) -> None:
    kept_tokens = KeptTokens(cast(Any, FailingIdentity))
    credentials = IdentityCredentials(f"127.0.0.1:{stack.event_hubs.ports.amqp}")

    async def read() -> HubAccess:
        return access_to(credentials, hub, lambda _: kept_tokens)

    connection = HubConnection("d", KeptAccess(read), 30.0)
    for request in (connection.partitions, partial(connection.new_batch, "0")):
        with pytest.raises(HeldBackError, match=r"sign-in fails since .*: the identity endpoint answers 500") as told:
            await request()
        assert told.value.code == "sign-in-failing"
    await connection.close()


async def test_a_key_that_is_long_in_coming_is_no_answer() -> None:
    accesses = Accesses()
    kept = KeptAccess(accesses.read)
    connection = HubConnection("d", kept, 0.01)
    with pytest.raises(NoAnswerError, match=r"its key was not read within 0\.01 s") as told:
        await connection.partitions()
    assert told.value.code == "no-credentials"
    await connection.close()
    kept.close()
