"""Work side by side is awaited to its end, and nowhere in the app is any left behind."""

import ast
import asyncio
from pathlib import Path

import pytest

from shared.concurrency import all_of, both

SHARED = Path(__file__).parents[3] / "shared"


async def after(turns: int, outcome: int | Exception, ended: list[int | Exception]) -> int:
    for _ in range(turns):
        await asyncio.sleep(0)
    ended.append(outcome)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def test_results_are_in_the_order_given() -> None:
    ended: list[int | Exception] = []
    assert await all_of(after(turns, turns, ended) for turns in (3, 1, 2)) == [3, 1, 2]
    assert ended == [1, 2, 3]
    assert await both(after(2, 5, ended), asyncio.sleep(0, "other")) == (5, "other")
    assert await all_of([]) == []


async def test_the_first_failure_is_raised_once_all_have_ended() -> None:
    ended: list[int | Exception] = []
    first, second = ValueError("first"), ValueError("second")
    with pytest.raises(ValueError, match="first"):
        await all_of([after(2, first, ended), after(1, second, ended), after(5, 1, ended)])
    assert ended == [second, first, 1]
    with pytest.raises(ValueError, match="second"):
        await both(after(3, 2, ended), after(1, second, ended))
    assert ended[-1] == 2


async def test_who_is_cancelled_leaves_nothing_behind() -> None:
    cleaned_up = []

    async def long() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned_up.append(True)

    waiting = asyncio.ensure_future(all_of([long(), long()]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert cleaned_up == [True, True]


def test_nothing_is_left_behind_by_a_failure_beside_it() -> None:
    plain = [
        f"{path.relative_to(SHARED)}:{node.lineno}"
        for path in sorted(SHARED.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "gather"
        and "return_exceptions" not in {keyword.arg for keyword in node.keywords}
    ]
    assert not plain, "use shared.concurrency.all_of"
