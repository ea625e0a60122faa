"""A Python 3.13 with the app's requirements and Microsoft's worker library, in a virtual environment kept between runs.

The worker library needs 3.13, while the project also supports older versions, so it cannot live in the usual
environment. After changing a version in requirements.txt, make requirements-conformance.txt again:

    echo azure-functions-runtime | uv pip compile - -c requirements.txt -o requirements-conformance.txt \
        --universal --python-version 3.13 --generate-hashes --no-header --no-annotate \
        --no-emit-package azure-functions --no-emit-package werkzeug --no-emit-package markupsafe

(the packages left out are those which requirements.txt has).
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.kit.environments import VirtualEnvironment

ENVIRONMENT = VirtualEnvironment(".venv-conformance", ("requirements.txt", "requirements-conformance.txt"))


class InterpreterMissingError(Exception):
    """This machine has no Python 3.13; the message says how to get one."""


def find_interpreter(environ: Mapping[str, str] = os.environ) -> Path:
    """The Python 3.13 that PYTHON313 names or, without it, one on PATH or one that pyenv or uv installed."""
    chosen = environ.get("PYTHON313")
    if chosen:
        if not _is_python_313(Path(chosen)):
            raise InterpreterMissingError(f"PYTHON313 is {chosen!r}, which is not a Python 3.13")
        return Path(chosen)
    found = next(filter(_is_python_313, _candidates(environ)), None)
    if found is None:
        raise InterpreterMissingError(
            "no Python 3.13 was found on PATH, in pyenv or in uv: install one (`pyenv install 3.13`, "
            "`uv python install 3.13`) or set PYTHON313 to the path of one"
        )
    return found


def interpreter_for_tests(environ: Mapping[str, str] = os.environ) -> Path:
    """Like `find_interpreter`, but skips the test where there is none, and fails it in CI, which must have one."""
    try:
        return find_interpreter(environ)
    except InterpreterMissingError as missing:
        if environ.get("CI", "").lower() in {"1", "true", "yes"}:
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    on_path = shutil.which("python3.13", path=environ.get("PATH", ""))
    if on_path:
        yield Path(on_path)
    home = Path(environ.get("HOME", "/"))
    yield from sorted(home.glob(".pyenv/versions/3.13*/bin/python3.13"), reverse=True)
    yield from sorted(home.glob(".local/share/uv/python/cpython-3.13*/bin/python3.13"), reverse=True)


def _is_python_313(python: Path) -> bool:
    # A file of that name is not enough: pyenv puts a shim on PATH which fails unless the version is activated.
    try:
        version = subprocess.run([python, "--version"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return False
    return version.stdout.startswith("Python 3.13.")
