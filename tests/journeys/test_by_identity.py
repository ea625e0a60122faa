"""The app with no key at all: Azurite over TLS takes bearer tokens, which App Service's identity endpoint gives out."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local.stack.local_stack import LocalStack
from shared.domain.configuration.credentials import parse_connection_string
from shared.hosting import RELAY_STORAGE
from tests.kit.environments import CHECKOUT
from tests.kit.identity_endpoint import IdentityEndpoint, identity_endpoint
from tests.kit.ingestion import make_certificate
from tests.kit.storage_by_token import AzuriteByToken

EVENTHUBS = "EVENTHUBS"
STORAGE = "https://storage.azure.com"
HUBS = "https://eventhubs.azure.net"
_TIMEOUT_SECONDS = 180


@pytest.fixture
def endpoint() -> Iterator[IdentityEndpoint]:
    with identity_endpoint() as endpoint:
        yield endpoint


def acted(stack: LocalStack, identity: Mapping[str, str], directory: Path) -> dict[str, Any]:
    """What tests/kit/act_by_identity.py did, in a new account."""
    certificate = directory / "certificate.pem"
    make_certificate(certificate)
    azurite = AzuriteByToken(directory / "azurite.log", certificate)
    azurite.start()
    with azurite:
        without_keys = {name: value for name, value in stack.settings.items() if name not in (RELAY_STORAGE, EVENTHUBS)}
        settings = without_keys | azurite.settings | {f"{EVENTHUBS}__fullyQualifiedNamespace": namespace_of(stack)}
        done = subprocess.run(
            [sys.executable, "-m", "tests.kit.act_by_identity"],
            cwd=CHECKOUT,
            input=json.dumps(settings | {"SEND_TIMEOUT": "5", "CONFIG_CACHE_SECONDS": "0.2"}),
            env={**os.environ, "SSL_CERT_FILE": str(certificate), **identity},
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def namespace_of(stack: LocalStack) -> str:
    return parse_connection_string(stack.event_hubs_connection_string, local_allowed=True).credentials.namespace


@pytest.mark.parametrize(
    ("life", "by_imds"),
    [(86_400, False), (86_400, True), (4, False)],
    ids=["one token", "by IMDS", "tokens that end meanwhile"],
)
def test_tables_queues_blobs_and_hubs_by_token_alone(
    tmp_path: Path, endpoint: IdentityEndpoint, life: int, by_imds: bool
) -> None:
    endpoint.life = life
    with LocalStack(tmp_path / "stack", hubs={"crm": 2}) as stack:
        answer = acted(stack, endpoint.imds_settings if by_imds else endpoint.settings, tmp_path)
        assert stack.broker.stats().hubs["crm"].events > 0
    assert answer["ann"] == {"name": {"firstName": "Ann"}, "age": 42}
    assert (answer["undelivered"], answer["quarantined"], answer["uploaded"]) == (5, 2, "done")
    assert answer["queues"]["slices"] >= 1
    assert {resource.rstrip("/") for resource in endpoint.asked} == {STORAGE, HUBS}
    assert (endpoint.asked.count(STORAGE) == 1) is (life > 4)  # all clients share it
