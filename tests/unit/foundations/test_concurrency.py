"""Work side by side is awaited to its end, and nowhere in the app is any left behind."""

import ast
import asyncio
from pathlib import Path

import pytest

from shared.concurrency import ListeningTimer, all_of, both, ends_within
from tests.kit.virtual_time import VirtualTimeLoop, run_virtually

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


async def busily(turns: int, seconds: float) -> None:
    """Keep the event loop busy for so long in each of so many turns."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    for _ in range(turns):
        loop.keep_busy(seconds)
        await asyncio.sleep(0)


def test_who_answers_within_a_few_turns_is_heard_however_long_they_take() -> None:
    async def main() -> bool:
        return await ends_within(2.5, asyncio.ensure_future(busily(20, seconds=10)))

    assert run_virtually(main)


def test_who_does_not_answer_is_waited_for_as_long_as_the_loop_listens() -> None:
    async def main() -> tuple[bool, float]:
        silent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        return await ends_within(2.5, silent), asyncio.get_running_loop().time()

    ended, at = run_virtually(main)
    assert (ended, round(at, 6)) == (False, 2.5)


def test_a_timer_that_is_cancelled_calls_nobody() -> None:
    async def main() -> list[str]:
        called: list[str] = []
        timer = ListeningTimer(1, lambda: called.append("cancelled"))
        ListeningTimer(2, lambda: called.append("left alone"))
        await asyncio.sleep(0.5)
        timer.cancel()
        await asyncio.sleep(5)
        timer.cancel()
        return called

    assert run_virtually(main) == ["left alone"]


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
