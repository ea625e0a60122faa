"""Storage that refuses the app's token over the wire, challenging or not: another one serves the same request."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.environments import CHECKOUT
from tests.kit.identity_endpoint import IdentityEndpoint, identity_endpoint
from tests.kit.ingestion import make_certificate
from tests.kit.storage_by_token import SERVICES, AzuriteByToken

TENANT = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/oauth2/authorize"
CHALLENGES = {
    "plain": None,
    "with the tenant": f"Bearer authorization_uri={TENANT} resource_id=https://storage.azure.com",
    "with claims": f'Bearer realm="", authorization_uri="{TENANT}", error="insufficient_claims", '
    'claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7InZhbHVlIjoiMTc2NCJ9fX0"',
}
TIMEOUT_SECONDS = 120


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certificate") / "certificate.pem"
    make_certificate(path)
    return path


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[AzuriteByToken]:
    azurite = AzuriteByToken(tmp_path_factory.mktemp("azurite") / "azurite.log", certificate)
    azurite.start()
    with azurite:
        yield azurite


@pytest.fixture
def endpoint() -> Iterator[IdentityEndpoint]:
    with identity_endpoint() as endpoint:
        yield endpoint


@pytest.mark.parametrize("challenge", CHALLENGES.values(), ids=CHALLENGES.keys())
def test_a_token_that_is_withdrawn_is_replaced_once_within_the_requests_and_none_at_all_is_told_as_such(
    azurite: AzuriteByToken, certificate: Path, endpoint: IdentityEndpoint, challenge: str | None
) -> None:
    answer = acted(azurite, certificate, endpoint, challenge)
    assert {*answer["before"].values(), *answer["withdrawn"].values(), *answer["again"].values()} == {"ok"}
    assert all(answer["refusals"][service] > 0 for service in SERVICES)
    for name, outcome in answer["none"].items():
        assert outcome.startswith("StorageSignInError: "), f"{name}: {outcome}"
        assert "HTTP 401 InvalidAuthenticationInfo: it takes no token of the app's identity" in outcome
    # The first, and one for that which was withdrawn; when none is taken, one more for each way to ask at most: a
    # challenge names the tenant.
    assert 2 <= len(endpoint.asked) <= (3 if challenge is None else 4)


def acted(
    azurite: AzuriteByToken, certificate: Path, endpoint: IdentityEndpoint, challenge: str | None
) -> dict[str, Any]:
    """What tests/kit/act_while_refused.py did."""
    asked = {
        "ports": {service: getattr(azurite.ports, service) for service in SERVICES},
        "certificate": str(certificate),
        "challenge": challenge,
        "settings": {"PROFILE_CHANGES_QUEUE": "changes"},
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.kit.act_while_refused"],
        cwd=CHECKOUT,
        input=json.dumps(asked),
        env={**os.environ, "SSL_CERT_FILE": str(certificate), **endpoint.settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
