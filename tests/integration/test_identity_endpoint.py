"""The SDK's own credential, as the app keeps its tokens, on an identity endpoint that goes away."""

import time

import pytest
from azure.identity.aio import DefaultAzureCredential

from local.eventually import eventually
from shared.adapters.identity import STORAGE_SCOPE
from shared.adapters.kept_tokens import PAUSE, KeptTokens
from tests.kit.identity_endpoint import identity_endpoint

HOUR = 3_600.0


async def test_a_token_of_a_day_serves_while_the_endpoint_is_out_for_eleven_hours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed = [0.0]
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + passed[-1])
    with identity_endpoint() as endpoint:
        for name, value in endpoint.settings.items():
            monkeypatch.setenv(name, value)
        async with KeptTokens(DefaultAzureCredential, lambda: time.time()) as kept:
            first = (await kept.get_token_info(STORAGE_SCOPE)).token
            endpoint.out.add("")
            for hours in (12.0, 17.0, 22.9):
                passed.append(hours * HOUR)
                assert (await kept.get_token_info(STORAGE_SCOPE)).token == first
                assert await eventually(lambda: endpoint.failed > 0)
                assert endpoint.asked == ["https://storage.azure.com"]
            endpoint.out.clear()
            passed.append(passed[-1] + PAUSE)

            async def renewed() -> bool:
                return (await kept.get_token_info(STORAGE_SCOPE)).token != first

            assert await eventually(renewed, timeout=60)
            assert len(endpoint.asked) == 2
