import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from shared.adapters import identity
from shared.adapters.kept_tokens import PAUSE, KeptTokens, SignInError
from shared.adapters.storage_reasons import storage_error
from shared.errors import StorageSignInError

STORAGE, HUBS = "https://storage.example/.default", "https://hubs.example/.default"
DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0
START = 1_800_000_000.0


class Endpoint:
    """The platform's identity endpoint and the SDK's credentials that ask it, each of which repeats its last token."""

    def __init__(self) -> None:
        self.now = START
        self.failure: Exception | None = None
        self.asked: list[str] = []
        self.credentials = 0
        self.closed = 0
        self.answers = asyncio.Event()
        self.answers.set()

    def make(self) -> Any:
        self.credentials += 1
        return _SdkCredential(self)

    def kept(self) -> KeptTokens:
        return KeptTokens(self.make, lambda: self.now)

    async def token(self, scope: str) -> AccessTokenInfo:
        self.asked.append(scope)
        await self.answers.wait()
        if self.failure is not None:
            raise self.failure
        return AccessTokenInfo(f"{scope}#{len(self.asked)}", int(self.now + DAY))


class _SdkCredential:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._last: dict[str, AccessTokenInfo] = {}

    async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        last = self._last.get(scopes[0])
        if last is None or last.expires_on - self._endpoint.now <= DAY / 2:
            last = self._last[scopes[0]] = await self._endpoint.token(scopes[0])
        return last

    async def close(self) -> None:
        self._endpoint.closed += 1


@pytest.fixture
async def endpoint() -> Endpoint:
    return Endpoint()


async def passed() -> None:
    """What was begun beside the test has had its turn."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_token_serves_until_half_of_its_life_and_the_next_one_is_asked_for_beside(endpoint: Endpoint) -> None:
    kept = endpoint.kept()
    first = await kept.get_token_info(STORAGE)
    endpoint.now += DAY / 2 - 1
    assert (await kept.get_token_info(STORAGE)).token == first.token
    assert endpoint.asked == [STORAGE]
    endpoint.now += 1
    endpoint.answers.clear()
    assert [(await kept.get_token_info(STORAGE)).token for _ in range(3)] == [first.token] * 3
    await passed()
    endpoint.answers.set()
    await passed()
    assert endpoint.asked == [STORAGE] * 2
    assert (await kept.get_token_info(STORAGE)).token != first.token


async def test_who_asks_near_the_end_gets_the_next_one_or_the_last_where_there_is_none(endpoint: Endpoint) -> None:
    """An open link asks when a tenth is left; that is too late for it to ask once more."""
    kept = endpoint.kept()
    first = await kept.get_token_info(STORAGE)
    endpoint.now += DAY * 0.9
    endpoint.failure = ClientAuthenticationError("out")
    assert (await kept.get_token_info(STORAGE)).token == first.token
    endpoint.failure = None
    assert (await kept.get_token_info(STORAGE)).token == first.token
    endpoint.now += PAUSE
    assert (await kept.get_token_info(STORAGE)).token != first.token


async def test_an_endpoint_that_is_out_for_eleven_hours_is_not_noticed(endpoint: Endpoint) -> None:
    """The token of a day is renewed after twelve hours, and the endpoint goes away just before."""
    kept = endpoint.kept()
    token = (await kept.get_token_info(STORAGE)).token
    endpoint.now += DAY / 2
    endpoint.failure = ClientAuthenticationError("the endpoint answers 500")
    for _ in range(11 * 60):
        assert (await kept.get_token_info(STORAGE)).token == token
        await passed()
        endpoint.now += MINUTE
    assert len(endpoint.asked) == 1 + 11 * 60
    endpoint.failure = None
    await kept.get_token_info(STORAGE)
    await passed()
    assert (await kept.get_token_info(STORAGE)).token != token


async def test_one_that_is_out_at_the_start_is_asked_at_a_pace_and_heals(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    kept = endpoint.kept()
    endpoint.failure = ClientAuthenticationError("the endpoint\n answers 500")
    for _ in range(600):
        with pytest.raises(SignInError, match="fails since 2027-01-15T08:00:00Z: the endpoint answers 500; see"):
            await kept.get_token_info(STORAGE)
        endpoint.now += 1
    assert len(endpoint.asked) == 600 / PAUSE
    endpoint.failure = None
    endpoint.now += PAUSE
    await kept.get_token_info(STORAGE)
    assert [record.getMessage().partition(" ")[0] for record in caplog.records] == ["Sign-in", "Sign-in"]
    assert "there is no token" in caplog.records[0].getMessage()
    assert "works again" in caplog.records[1].getMessage()


async def test_a_failure_says_how_long_ago_it_was_asked_for(endpoint: Endpoint) -> None:
    endpoint.failure = ClientAuthenticationError("HTTP 500")
    kept = endpoint.kept()
    for later, ago in ((0.0, 0.0), (9.0, 9.0), (PAUSE, 0.0)):
        endpoint.now = START + later
        with pytest.raises(SignInError) as failed:
            await kept.get_token_info(STORAGE)
        told = storage_error("The row was not read", failed.value)
        assert isinstance(told, StorageSignInError)
        assert (failed.value.asked_ago, told.asked_ago) == (ago, ago)


async def test_whoever_waits_hears_of_the_same_answer(endpoint: Endpoint) -> None:
    kept = endpoint.kept()
    endpoint.answers.clear()
    waiting = [asyncio.ensure_future(kept.get_token_info(STORAGE)) for _ in range(6)]
    waiting.append(asyncio.ensure_future(kept.get_token_info(HUBS)))
    await passed()
    waiting[0].cancel()
    endpoint.failure = ClientAuthenticationError("none here")
    endpoint.answers.set()
    told = await asyncio.gather(*waiting[1:], return_exceptions=True)
    assert [type(each) for each in told] == [SignInError] * 6
    assert sorted(endpoint.asked) == [HUBS, STORAGE]


async def test_a_scope_that_is_refused_holds_up_no_other(endpoint: Endpoint) -> None:
    kept = endpoint.kept()
    endpoint.failure = ClientAuthenticationError("not this one")
    with pytest.raises(SignInError):
        await kept.get_token_info(HUBS)
    endpoint.failure = None
    assert (await kept.get_token_info(STORAGE)).token.startswith(STORAGE)


async def test_what_a_service_refused_is_renewed_and_used_again_where_that_fails(endpoint: Endpoint) -> None:
    kept = endpoint.kept()
    first = await kept.get_token_info(STORAGE)
    other = await kept.get_token_info(HUBS)
    endpoint.failure = ClientAuthenticationError("out")
    kept.refused(first.token)
    assert (await kept.get_token_info(STORAGE)).token == first.token
    endpoint.failure = None
    endpoint.now += PAUSE
    renewed = await kept.get_token_info(STORAGE)
    assert renewed.token != first.token
    await passed()
    assert endpoint.credentials == endpoint.closed == len(endpoint.asked)
    kept.refused(first.token)
    assert (await kept.get_token_info(STORAGE)).token == renewed.token
    assert (await kept.get_token_info(HUBS)).token == other.token
    kept.refused(HUBS)
    assert (await kept.get_token_info(HUBS)).token != other.token


async def test_tokens_that_are_refused_one_after_the_other_are_asked_for_at_a_pace(endpoint: Endpoint) -> None:
    kept = endpoint.kept()
    token = (await kept.get_token_info(STORAGE)).token
    for _ in range(60):
        for _ in range(10):
            token = await kept.instead_of(token, STORAGE) or token
        endpoint.now += 1
    assert len(endpoint.asked) == 1 + 60 / PAUSE


async def test_whoever_is_refused_the_same_token_gets_the_same_other_one(endpoint: Endpoint) -> None:
    kept = endpoint.kept()
    first = (await kept.get_token_info(STORAGE)).token
    others = {*await asyncio.gather(*(kept.instead_of(first, STORAGE) for _ in range(20)))}
    assert len(others) == 1
    assert others == {await kept.instead_of(first, STORAGE)}
    assert first not in others
    assert len(endpoint.asked) == 2
    endpoint.failure = ClientAuthenticationError("out")
    endpoint.now += PAUSE
    (other,) = others
    assert other is not None
    assert await kept.instead_of(other, STORAGE) is None


async def test_nobody_waits_for_a_token_until_a_service_would_seem_not_to_answer(endpoint: Endpoint) -> None:
    kept = KeptTokens(endpoint.make, lambda: endpoint.now, patience=0.0)
    endpoint.answers.clear()
    for _ in range(2):
        with pytest.raises(SignInError, match="no token has come yet"):
            await kept.get_token_info(STORAGE)
    endpoint.answers.set()
    await passed()
    assert (await kept.get_token_info(STORAGE)).token.startswith(STORAGE)
    assert endpoint.asked == [STORAGE]


async def test_claims_ask_for_another_token(endpoint: Endpoint) -> None:
    kept = endpoint.kept()
    first = await kept.get_token_info(STORAGE)
    second = await kept.get_token_info(STORAGE, options={"claims": "{}"})
    assert second.token != first.token
    assert (await kept.get_token_info(STORAGE)).token == second.token


async def test_a_client_asks_each_time_and_an_older_one_too(endpoint: Endpoint) -> None:
    kept = endpoint.kept()
    info = await kept.get_token_info(STORAGE)
    assert info.refresh_on == START
    assert await kept.get_token(STORAGE) == AccessToken(info.token, info.expires_on)
    assert len(endpoint.asked) == 1


async def test_what_is_asked_for_at_the_end_is_given_up(endpoint: Endpoint) -> None:
    endpoint.answers.clear()
    async with endpoint.kept() as kept:
        waiting = asyncio.ensure_future(kept.get_token_info(STORAGE))
        await passed()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def answer(status: int, authorization: str) -> Any:
    request = SimpleNamespace(headers={"Authorization": authorization})
    return SimpleNamespace(status_code=status, reason="no", headers={}, request=request, text=str)


async def test_an_answer_of_401_has_its_token_renewed(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = endpoint.kept()
    monkeypatch.setattr(identity, "_shared", {None: kept})
    token = (await kept.get_token_info(STORAGE)).token
    for status, authorization in (
        (403, f"Bearer {token}"),
        (401, "SharedKey devstoreaccount1:x"),
        (401, "Bearer other"),
    ):
        identity.renew_if_refused(HttpResponseError(response=answer(status, authorization)))
    assert (await kept.get_token_info(STORAGE)).token == token
    identity.renew_if_refused(HttpResponseError(response=answer(401, f"Bearer {token}")))
    assert (await kept.get_token_info(STORAGE)).token != token


async def test_that_renewing_fails_is_known_while_the_token_is_good(endpoint: Endpoint) -> None:
    kept = endpoint.kept()
    await kept.get_token_info(STORAGE)
    await kept.get_token_info(HUBS)
    assert [kept.failing_since] == [None]
    endpoint.failure = ClientAuthenticationError("HTTP 500")
    endpoint.now += 13 * HOUR
    began = endpoint.now
    await kept.get_token_info(STORAGE)
    await passed()
    assert kept.failing_since == began
    endpoint.now += MINUTE
    await kept.get_token_info(HUBS)
    await kept.get_token_info(STORAGE)
    await passed()
    assert kept.failing_since == began

    endpoint.failure = None
    endpoint.now += MINUTE
    await kept.get_token_info(STORAGE)
    await passed()
    assert kept.failing_since == began + MINUTE  # that of hubs
    endpoint.now += 6 * MINUTE
    assert [kept.failing_since] == [None]  # nobody asks for one any more


async def test_what_the_endpoint_said_is_told_and_not_what_else_the_sdk_has_tried(endpoint: Endpoint) -> None:
    endpoint.failure = ClientAuthenticationError(
        "DefaultAzureCredential failed to retrieve a token from the included credentials.\nAttempted credentials:\n"
        "\tEnvironmentCredential: EnvironmentCredential authentication unavailable.\n"
        "\tManagedIdentityCredential: (500) out of order\nCode: 500\n"
        "To mitigate this issue, please refer to the troubleshooting guidelines"
    )
    with pytest.raises(SignInError, match=r"fails since \S+: \(500\) out of order Code: 500; see that"):
        await endpoint.kept().get_token_info(STORAGE)
