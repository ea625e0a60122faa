"""The tests' own waiting: it ends when the condition holds, and tells why it never did."""

import itertools

import pytest

from local.eventually import eventually


async def test_the_first_true_value() -> None:
    counter = itertools.count()
    assert await eventually(lambda: next(counter)) == 1


async def test_coroutines_and_assertions_that_hold_later() -> None:
    counter = itertools.count()

    async def condition() -> str:
        assert next(counter) == 2
        return "held"

    assert await eventually(condition) == "held"


async def test_the_last_value_or_assertion_is_told() -> None:
    with pytest.raises(AssertionError, match=r"after 0\.1 s; the last value was 0"):
        await eventually(lambda: 0, timeout=0.1)

    def never() -> bool:
        raise AssertionError("not yet")

    with pytest.raises(AssertionError) as told:
        await eventually(never, timeout=0.1)
    assert str(told.value.__cause__) == "not yet"
