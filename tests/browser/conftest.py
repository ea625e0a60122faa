"""Chromium, as it comes inside an npm package, and a relay on a local stack for it to look at."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from local.stack.local_stack import LocalStack
from local.stack.part import PROJECT
from tests.browser.console import AlertHook
from tests.kit import running_host
from tests.kit.running_relay import IMPATIENT
from tests.kit.webhook import listening

_UNPACK = 'import chromium from "@sparticuz/chromium"; console.log(await chromium.executablePath())'
# How long a page takes says how busy the machine is.
_MILLISECONDS = 60_000
expect.set_options(timeout=_MILLISECONDS)
_MISSING = "no browser: @sparticuz/chromium could not be unpacked and run; run `npm ci` on a Linux that can run it"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Path]:
    """The executable. Without one the tests fail in CI, and are skipped elsewhere."""
    # Of its own, for it unpacks itself into the folder for temporary files, and tests run side by side.
    with TemporaryDirectory() as folder:
        unpacked = subprocess.run(
            ["node", "--input-type=module", "-e", _UNPACK],
            cwd=PROJECT,
            env=os.environ | {"TMPDIR": folder},
            capture_output=True,
            text=True,
            check=False,
        )
        executable = Path(unpacked.stdout.strip() or "/nowhere")
        if not _runs(executable):
            message = f"{_MISSING}\n{unpacked.stderr[-500:]}"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
        yield executable


def _runs(executable: Path) -> bool:
    if not executable.is_file():
        return False
    return subprocess.run([executable, "--version"], capture_output=True, check=False).returncode == 0


@pytest.fixture
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        await running.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page of a wide window; what it logs as errors fails the test, but for answers that are no success."""
    opened = await browser.new_page(viewport={"width": 1200, "height": 800})
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda said: problems.append(said.text) if _matters(said.type, said.text) else None)
    yield opened
    assert problems == []


def _matters(kind: str, text: str) -> bool:
    return kind == "error" and "the server responded with a status of" not in text


@pytest.fixture(scope="module")
def relay_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Empty at first, with the hubs `crm` and `analytics`."""
    with LocalStack(tmp_path_factory.mktemp("console"), storage_faults=True) as running:
        settings = IMPATIENT | {"ALERT_SCHEDULE": "* * * * * *"}
        running.start_functions_host(kind=running_host.KIND, settings=settings)
        yield running


@pytest.fixture
async def webhook() -> AsyncIterator[AlertHook]:
    """Somebody who hears of alerts."""
    async with listening(AlertHook) as hook:
        yield hook
