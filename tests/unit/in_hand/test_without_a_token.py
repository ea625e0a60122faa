"""A worker that starts without a token holds its messages until there is one, for a while."""

from math import inf
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest

from shared import bootstrap
from shared.errors import StorageError, StorageSignInError
from shared.triggers import inbound
from tests.kit.world import World

MESSAGE = func.QueueMessage(id="m", body=b"{}", pop_receipt="r")


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """What fails the next ones, in turn."""
    failures: list[Exception] = []

    async def relay() -> Any:
        if failures:
            raise failures.pop(0)
        return SimpleNamespace(services=World().worker)

    monkeypatch.setattr(bootstrap, "relay", relay)
    monkeypatch.setattr(inbound, "_LOOK_AGAIN_SECONDS", 0.0)
    return failures


async def test_it_looks_again_until_there_is_one(builds: list[Exception]) -> None:
    builds += [StorageSignInError("sign-in fails")] * 5
    async with inbound.in_hand("changes", MESSAGE) as services:
        assert services is not None
    assert builds == []


async def test_not_for_ever(builds: list[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbound, "_SIGN_IN_SECONDS", 0.0)
    builds += [StorageSignInError("sign-in fails")] * 2
    with pytest.raises(StorageSignInError, match="sign-in fails"):
        async with inbound.in_hand("changes", MESSAGE):
            raise AssertionError("there are no services")
    assert len(builds) == 1


async def test_it_is_not_let_go_between_two_tries(builds: list[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """It would come again after `visibilityTimeout`, and the next try may succeed well before that."""
    monkeypatch.setattr(inbound, "_SIGN_IN_SECONDS", 0.0)
    for ago in (14.0, inf, 2.0, 0.5, 1.0):
        error = StorageSignInError("sign-in fails")
        error.asked_ago = ago
        builds.append(error)
    with pytest.raises(StorageSignInError) as failed:
        async with inbound.in_hand("changes", MESSAGE):
            raise AssertionError("there are no services")
    assert (failed.value.asked_ago, len(builds)) == (0.5, 1)


async def test_what_else_fails_is_told_at_once(builds: list[Exception]) -> None:
    builds += [StorageError("storage is down")] * 2
    with pytest.raises(StorageError, match="storage is down"):
        async with inbound.in_hand("changes", MESSAGE):
            raise AssertionError("there are no services")
    assert len(builds) == 1
