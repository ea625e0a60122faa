"""Where the real host and its Pythons are found, and what is said where they are not."""

import tarfile
from pathlib import Path

import pytest

from local.errors import ToolMissingError
from local.stack.real_host_tools import RUN_HOST, WORKER_PYTHON, worker_python
from tests.real_host import tools
from tests.real_host.tools import find_host, interpreters


def pack(archive: Path, folder: Path, name: str) -> None:
    with tarfile.open(archive, "w:xz") as packed:
        packed.add(folder, name)


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder beside the checkout in which archives would be found."""
    checkout, archives = tmp_path / "checkout", tmp_path / "shared" / "platform" / "functions-host"
    for folder in (checkout, archives):
        folder.mkdir(parents=True)
    monkeypatch.setattr(tools, "CHECKOUT", checkout)
    monkeypatch.setattr(tools, "_UNPACKED", checkout / ".local" / "functions-host")
    return archives


def test_archives_beside_the_checkout_are_unpacked_once(beside: Path, tmp_path: Path) -> None:
    host, worker = tmp_path / "host", tmp_path / "worker"
    for folder in (host, worker):
        folder.mkdir()
    (host / "run-host").write_text("#!/bin/sh\n")
    (host / "run-host").chmod(0o755)
    (worker / "worker.py").touch()
    pack(beside / "functions-host-linux-x64.tar.xz", host, "functions-host")
    pack(beside / "python-3.13-worker.tar.xz", worker, "workers")

    command = find_host({})

    assert command.stat().st_mode & 0o111
    assert (command.parent / "workers" / "worker.py").exists()
    (command.parent / "kept").touch()
    assert find_host({}) == command
    assert (command.parent / "kept").exists()
    (worker / "another.py").write_text("# newer" * 1_000)
    pack(beside / "python-3.13-worker.tar.xz", worker, "workers")
    find_host({})
    assert (command.parent / "workers" / "another.py").exists()
    assert not (command.parent / "kept").exists()


def test_the_host_that_is_named_comes_first(beside: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolMissingError, match=r"names none, and there is no \.\./shared"):
        find_host({})
    named = tmp_path / "run-host"
    named.touch(mode=0o755)
    assert find_host({RUN_HOST: str(named)}) == named


def test_each_generation_has_a_python_or_says_what_is_missing(tmp_path: Path) -> None:
    for version in ("3.11", "3.12"):
        python = tmp_path / f"python{version}"
        python.write_text(f"#!/bin/sh\necho Python {version}.1\n")
        python.chmod(0o755)
    found = interpreters({"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert found["3.11"] == tmp_path / "python3.11"
    assert "no Python 3.13 was found" in str(found["3.13"])
    assert len(found) == 2
    assert "no Python 3.11 was found" in str(interpreters({"PATH": "", "HOME": str(tmp_path)})["3.11 or 3.12"])


def test_the_newest_environment_is_the_workers_unless_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolMissingError, match="run make host-python"):
        worker_python({}, tmp_path)
    for version in ("311", "313"):
        python = tmp_path / f".venv-host-{version}" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.touch(mode=0o755)
    assert worker_python({}, tmp_path) == python
    named = tmp_path / ".venv-host-311" / "bin" / "python"
    assert worker_python({WORKER_PYTHON: str(named)}, tmp_path) == named
