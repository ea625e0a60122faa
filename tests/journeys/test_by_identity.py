"""The app with no key at all: Azurite over TLS takes bearer tokens, which App Service's identity endpoint gives out."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from local.ports import HOST, Ports
from local.stack.emulators import Azurite
from local.stack.local_stack import LocalStack
from shared.hosting import RELAY_STORAGE
from tests.kit.environments import CHECKOUT
from tests.kit.identity_endpoint import IdentityEndpoint, identity_endpoint
from tests.kit.ingestion import make_certificate

STORAGE = "https://storage.azure.com"
_TIMEOUT_SECONDS = 180


class AzuriteByToken(Azurite):
    """Over TLS, by the key and the certificate in one file; a token is looked at, and a key is taken as well."""

    def __init__(self, log: Path, certificate: Path) -> None:
        super().__init__(log, Ports(blob=0, queue=0, table=0, amqp=0, control=0), None)
        self._certificate = str(certificate)

    def _command(self) -> Sequence[str]:
        return [*super()._command(), "--oauth", "basic", "--cert", self._certificate, "--key", self._certificate]

    @property
    def settings(self) -> dict[str, str]:
        ports = {"blob": self.ports.blob, "queue": self.ports.queue, "table": self.ports.table}
        return {
            f"{RELAY_STORAGE}__{service}ServiceUri": f"https://{HOST}:{port}/devstoreaccount1"
            for service, port in ports.items()
        }


@pytest.fixture
def endpoint() -> Iterator[IdentityEndpoint]:
    with identity_endpoint() as endpoint:
        yield endpoint


def acted(stack: LocalStack, endpoint: IdentityEndpoint, directory: Path) -> dict[str, Any]:
    """What tests/kit/act_by_identity.py did, in a new account."""
    certificate = directory / "certificate.pem"
    make_certificate(certificate)
    azurite = AzuriteByToken(directory / "azurite.log", certificate)
    azurite.start()
    with azurite:
        settings = {name: value for name, value in stack.settings.items() if name != RELAY_STORAGE} | azurite.settings
        done = subprocess.run(
            [sys.executable, "-m", "tests.kit.act_by_identity"],
            cwd=CHECKOUT,
            input=json.dumps(settings | {"SEND_TIMEOUT": "5", "CONFIG_CACHE_SECONDS": "0.2"}),
            env={**os.environ, "SSL_CERT_FILE": str(certificate), **endpoint.settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("life", [86_400, 4], ids=["one token", "tokens that end meanwhile"])
def test_tables_queues_and_blobs_by_token_alone(tmp_path: Path, endpoint: IdentityEndpoint, life: int) -> None:
    endpoint.life = life
    with LocalStack(tmp_path / "stack", hubs={"crm": 2}) as stack:
        answer = acted(stack, endpoint, tmp_path)
        assert stack.broker.stats().hubs["crm"].events > 0
    assert answer["ann"] == {"name": {"firstName": "Ann"}, "age": 42}
    assert (answer["undelivered"], answer["quarantined"], answer["uploaded"]) == (5, 2, "done")
    assert answer["queues"]["slices"] >= 1
    assert set(endpoint.asked) == {STORAGE}
    assert (len(endpoint.asked) == 1) is (life > 4)  # all clients share it
