"""What is said outside an invocation is said again by the next one, for the host hears of nothing else."""

import ast
import asyncio
import logging
from collections.abc import Iterator
from threading import Thread

import pytest

from shared.said_outside import MOST_KEPT, keep_what_is_said_outside, said_outside
from shared.triggers.invocation import ends
from tests.kit.environments import CHECKOUT

logger = logging.getLogger("shared.test")


@pytest.fixture(autouse=True)
def _kept() -> Iterator[None]:
    keep_what_is_said_outside()
    said_outside.take()
    yield
    said_outside.take()


@ends
async def nothing() -> None:
    """An invocation like any other."""


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "shared.triggers.invocation"]


async def test_what_threads_and_loading_modules_say(caplog: pytest.LogCaptureFixture) -> None:
    logger.warning("while %s", "loading")
    thread = Thread(target=lambda: logging.getLogger("azure.monitor.opentelemetry.exporter").error("not sent"))
    thread.start()
    thread.join()
    await nothing()
    assert told(caplog) == [
        "said outside of an invocation (1 times): while loading",
        "said outside of an invocation (1 times): not sent",
    ]
    await nothing()
    assert len(told(caplog)) == 2


async def test_what_a_callback_says_after_its_function_has_returned(caplog: pytest.LogCaptureFixture) -> None:
    said = asyncio.Event()

    def say() -> None:
        logger.warning("later")
        said.set()

    @ends
    async def starts() -> None:
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, say)

    await starts()
    await said.wait()
    await nothing()
    assert told(caplog) == ["said outside of an invocation (1 times): later"]


async def test_a_task_that_failed_with_nobody_waiting_for_it(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise LookupError("x")

    task = asyncio.ensure_future(fail())
    await asyncio.wait([task])
    del task
    await nothing()
    (line,) = told(caplog)
    assert "never retrieved" in line
    assert "LookupError: x" in line


async def test_what_an_invocation_says_is_its_own_and_information_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    @ends
    async def says() -> None:
        logger.warning("within")
        await asyncio.ensure_future(say_more())

    async def say_more() -> None:
        logger.warning("within, too")

    logger.info("loaded")
    await says()
    await nothing()
    assert told(caplog) == []


async def test_what_is_said_over_and_over_takes_one_line_and_all_of_it_has_a_bound(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number in range(3 * MOST_KEPT):
        logger.warning("again")
        logger.warning("number %d", number)
    await nothing()
    lines = told(caplog)
    assert lines[0] == f"said outside of an invocation ({3 * MOST_KEPT} times): again"
    assert len(lines) == MOST_KEPT + 1
    assert lines[-1] == f"said outside of an invocation ({2 * MOST_KEPT + 1} times): and others"


ROOMS_THAT_LOG = ("shared/triggers/", "shared/web/", "shared/telemetry.py")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def test_only_what_an_invocation_runs_logs() -> None:
    """Services and adapters, whose work may go on in the background, return what is to be told."""
    for path in sorted((CHECKOUT / "shared").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = path.relative_to(CHECKOUT).as_posix()
        within = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for node in ast.walk(function)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
                owner = ast.unparse(node.func.value)
                if owner.rpartition(".")[2] in {"logger", "logging", "log"}:
                    assert name.startswith(ROOMS_THAT_LOG), f"{name}:{node.lineno}: logs outside an invocation"
                    assert id(node) in within, f"{name}:{node.lineno}: logs while it is imported"
