"""The package for upstream programs, `profile-relay-upstream`: built from this repository, installed on its own."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from azure.storage.queue import QueueClient
from packaging.requirements import Requirement

from local.stack.local_stack import LocalStack
from tests.conftest import UniqueNames
from tests.kit.environments import CHECKOUT, VirtualEnvironment

# The file is made by: echo flit_core | uv pip compile - --universal --python-version 3.11 --generate-hashes --no-header
# --no-annotate -o requirements-upstream.txt
ENVIRONMENT = VirtualEnvironment(".venv-upstream", ("requirements-upstream.txt",))
SEND = """
import asyncio, sys
from profile_relay_upstream import ChangeRefusedError, open_queue_of_account

async def main():
    async with open_queue_of_account(*sys.argv[1:]) as changes:
        await changes.add({"profileId": "p", "occurredAt": "2026-01-11T21:00:00Z"})
        try:
            await changes.add({"profileId": "p"})
        except ChangeRefusedError as error:
            print(error)

asyncio.run(main())
print(*(name for name in sys.modules if name.partition(".")[0] == "shared"))
"""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python() -> Path:
    return ENVIRONMENT.python(Path(sys.executable))


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the package is built from, for a build writes beside it."""
    folder = tmp_path_factory.mktemp("repository")
    for name in ("shared", "upstream"):
        leave_out = shutil.ignore_patterns("__pycache__", "profile_relay_upstream")
        shutil.copytree(CHECKOUT / name, folder / name, ignore=leave_out)
    return folder


def built(python: Path, source: Path, into: Path) -> Path:
    """The wheel that pip builds."""
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index")
    run(python, "-m", "pip", "wheel", *options, source, "-w", into, cwd=into)
    (wheel,) = into.glob("*.whl")
    return wheel


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_it_sends_with_nothing_of_the_repository_around(
    python: Path, repository: Path, tmp_path: Path, stack: LocalStack, names: UniqueNames
) -> None:
    wheel = built(python, repository / "upstream", tmp_path)
    assert {name.partition("/")[0].partition("-")[0] for name in names_in(wheel)} == {"profile_relay_upstream"}
    installed = tmp_path / "installed"
    shutil.unpack_archive(wheel, installed, "zip")
    queue = QueueClient.from_connection_string(stack.storage_connection_string, names.queue)
    with queue:
        queue.create_queue()
        program = f"import sys; sys.path.insert(0, {str(installed)!r})\n{SEND}"
        said = run(sys.executable, "-P", "-c", program, stack.storage_connection_string, names.queue, cwd=tmp_path)
        (message,) = queue.receive_messages()
    assert said == "/occurredAt: expected this field, which is missing\n\n"
    assert message.content == '{"profileId":"p","occurredAt":"2026-01-11T21:00:00Z"}'


def test_a_source_distribution_builds_without_the_repository(python: Path, repository: Path, tmp_path: Path) -> None:
    build = "import sys; sys.path.insert(0, '.'); import backend; print(backend.build_sdist(sys.argv[1]))"
    archive = run(python, "-c", build, tmp_path, cwd=repository / "upstream").strip()
    shutil.unpack_archive(tmp_path / archive, tmp_path / "alone")
    (source,) = (tmp_path / "alone").iterdir()
    for folder in ("from-sdist", "from-repository"):
        (tmp_path / folder).mkdir()
    from_sdist = built(python, source, tmp_path / "from-sdist")
    assert names_in(from_sdist) == names_in(built(python, repository / "upstream", tmp_path / "from-repository"))


def test_it_is_of_the_apps_version_and_asks_for_no_less_than_the_app() -> None:
    app, package = (
        tomllib.loads((CHECKOUT / path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for path in (".", "upstream")
    )
    assert package["version"] == app["version"]
    assert package["requires-python"] == app["requires-python"]
    needed = {Requirement(each).name: each for each in app["dependencies"]}
    assert package["dependencies"] == [needed[Requirement(each).name] for each in package["dependencies"]]
