"""What is read from the real host's log, in its own words."""

from pathlib import Path

import pytest

from local.stack.functions_host import Invocations
from local.stack.host_log import HostLog

EXECUTING = "19:37:05.003 info: Function.work[1] Executing 'Functions.work' (Reason='New queue message', Id={})\n"
SUCCEEDED = "19:37:05.023 info: Function.work[2] Executed 'Functions.work' (Succeeded, Id={}, Duration=19ms)\n"
FAILED = (
    "19:37:05.023 fail: Function.work[3] Executed 'Functions.work' (Failed, Id={}, Duration=19ms) X: Result: Failure\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log"


def append(file: Path, text: str) -> None:
    with file.open("a") as log:
        log.write(text)


def test_invocations_are_counted_as_the_log_grows(file: Path) -> None:
    log = HostLog(file)
    assert log.invocations == {}
    append(file, EXECUTING.format("a") + EXECUTING.format("b") + "Functions.work\n")
    assert log.invocations == {"work": Invocations(running=2)}
    append(file, SUCCEEDED.format("a") + FAILED.format("b")[:40])
    assert log.invocations == {"work": Invocations(running=1, succeeded=1)}
    append(file, FAILED.format("b")[40:])
    assert log.invocations == {"work": Invocations(succeeded=1, failed=1)}
    assert log.not_loaded is None


def test_a_host_that_starts_again_begins_at_nothing(file: Path) -> None:
    append(file, EXECUTING.format("a"))
    log = HostLog(file)
    append(file, EXECUTING.format("b"))
    assert log.invocations == {"work": Invocations(running=1)}
    log.begin()
    append(file, EXECUTING.format("c") + SUCCEEDED.format("c"))
    assert log.invocations == {"work": Invocations(succeeded=1)}


@pytest.mark.parametrize("end", [" Stack:   File x", " Current sys.path: ['/x']", ""])
def test_why_the_app_cannot_be_loaded(file: Path, end: str) -> None:
    why = "ModuleNotFoundError: No module named 'x'."
    append(
        file,
        f"19:38:57.359 fail: Worker failed to index functions A.RpcException: Result: Failure Exception: {why}{end}\n",
    )
    log = HostLog(file)
    assert log.not_loaded is None
    log = HostLog(file.with_name("other"))
    append(file.with_name("other"), file.read_text() + FAILED.format("a"))
    assert log.not_loaded == why
