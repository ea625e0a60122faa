"""Every invocation ends, by a result or by an exception that the worker tells the host of."""

import asyncio
import inspect
import re
import traceback

import pytest

from shared.errors import SettingError, StorageError
from shared.triggers.invocation import ends
from tests.kit.environments import CHECKOUT


@ends
async def failing(error: BaseException) -> None:
    """Fail so."""
    raise error


@ends
async def doubled(number: int) -> int:
    return 2 * number


async def test_a_result_and_an_unexpected_failure_go_through() -> None:
    assert await doubled(2) == 4
    with pytest.raises(LookupError, match="x"):
        await failing(LookupError("x"))


@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError(), KeyboardInterrupt(), GeneratorExit()])
async def test_what_would_end_the_worker_fails_one_invocation(error: BaseException) -> None:
    with pytest.raises(RuntimeError, match=f"ended by {type(error).__name__}"):
        await failing(error)


async def test_a_failure_of_storage_is_told_without_a_stack(caplog: pytest.LogCaptureFixture) -> None:
    error = StorageError("table Profiles: could not read: HTTP 503 ServerBusy")
    error.__cause__ = LookupError("of the SDK")
    with pytest.raises(StorageError) as failure:
        await failing(error)
    text = "".join(traceback.format_exception(failure.value))
    assert "HTTP 503 ServerBusy" in text
    assert "of the SDK" not in text
    assert caplog.messages == ["failing failed: table Profiles: could not read: HTTP 503 ServerBusy"]
    assert caplog.records[0].exc_info is None


def test_a_trigger_keeps_its_signature() -> None:
    assert list(inspect.signature(doubled).parameters) == ["number"]
    assert inspect.iscoroutinefunction(doubled)


def test_every_trigger_is_held_to_it() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (CHECKOUT / "shared/triggers").glob("*.py")]
    functions = sum(source.count("@blueprint.function_name(") for source in sources)
    assert sum(len(re.findall(r"^@ends\nasync def ", source, re.MULTILINE)) for source in sources) == functions > 0


def test_nothing_of_the_app_ends_a_worker_or_cancels_by_itself() -> None:
    ends_it = re.compile(r"sys\.exit|os\._exit|os\.kill|raise (SystemExit|KeyboardInterrupt|asyncio\.CancelledError)")
    sources = {path: path.read_text(encoding="utf-8") for path in (CHECKOUT / "shared").rglob("*.py")}
    # stopping.py goes on to do what it was told: to end.
    assert [path.name for path, source in sources.items() if ends_it.search(source)] == ["stopping.py"]


async def test_a_setting_that_is_wrong_fails_a_message_with_one_line() -> None:
    error = SettingError.of("RETRY_DELAYS", "expected seconds")
    with pytest.raises(SettingError) as failure:
        await failing(error)
    assert traceback.format_exception_only(failure.value) == [
        "shared.errors.SettingError: app setting RETRY_DELAYS: expected seconds\n"
    ]
