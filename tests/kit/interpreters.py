"""Other versions of Python on this machine than the one that runs the tests."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path


class InterpreterMissingError(Exception):
    """This machine has no such Python; the message says how to get one."""


def find_interpreter(version: str, environ: Mapping[str, str] = os.environ) -> Path:
    """The Python of this `version`, such as 3.13, that PYTHON313 names or, without it, one on PATH or one that pyenv
    or uv installed. Raises InterpreterMissingError.
    """
    variable = f"PYTHON{version.replace('.', '')}"
    if chosen := environ.get(variable):
        if not _is_python(version, Path(chosen)):
            raise InterpreterMissingError(f"{variable} is {chosen!r}, which is not a Python {version}")
        return Path(chosen)
    for candidate in _candidates(version, environ):
        if _is_python(version, candidate):
            return candidate
    raise InterpreterMissingError(
        f"no Python {version} was found on PATH, in pyenv or in uv: install one (`pyenv install {version}`, "
        f"`uv python install {version}`) or set {variable} to the path of one"
    )


def _candidates(version: str, environ: Mapping[str, str]) -> Iterator[Path]:
    name = f"python{version}"
    if on_path := shutil.which(name, path=environ.get("PATH", "")):
        yield Path(on_path)
    home = Path(environ.get("HOME", "/"))
    yield from sorted(home.glob(f".pyenv/versions/{version}*/bin/{name}"), reverse=True)
    yield from sorted(home.glob(f".local/share/uv/python/cpython-{version}*/bin/{name}"), reverse=True)


def _is_python(version: str, python: Path) -> bool:
    # A file of that name is not enough: pyenv puts a shim on PATH which fails unless the version is activated.
    try:
        said = subprocess.run([python, "--version"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return False
    return said.stdout.startswith(f"Python {version}.")
