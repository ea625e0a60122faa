"""Which host and which Python the real Functions host is run with: whoever wants it says so in the environment."""

import os
from collections.abc import Mapping
from pathlib import Path

from local.errors import ToolMissingError
from local.stack.part import PROJECT

RUN_HOST = "FUNCTIONS_HOST"
WORKER_PYTHON = "FUNCTIONS_HOST_PYTHON"
ENVIRONMENTS = {"3.13": ".venv-host-313", "3.12": ".venv-host-312", "3.11": ".venv-host-311"}
"""Folders of the project, by version."""


def run_host(environ: Mapping[str, str] = os.environ) -> Path:
    """The command that runs the host. Raises ToolMissingError."""
    named = environ.get(RUN_HOST)
    if not named:
        raise ToolMissingError(
            f"{RUN_HOST} does not name the run-host of a Functions host: set it, or leave --host out for the stand-in. "
            "CONTRIBUTING.md says what is expected of a run-host"
        )
    path = Path(named).expanduser().absolute()
    if not os.access(path, os.X_OK) or not path.is_file():
        raise ToolMissingError(f"{RUN_HOST} is {named!r}, which is no command that can be run")
    return path


def worker_python(environ: Mapping[str, str] = os.environ, project: Path = PROJECT) -> Path:
    """The Python that is named, or the newest that `make host-python` has set up. Raises ToolMissingError."""
    if named := environ.get(WORKER_PYTHON):
        path = Path(named).expanduser().absolute()
        if not os.access(path, os.X_OK) or not path.is_file():
            raise ToolMissingError(f"{WORKER_PYTHON} is {named!r}, which is no Python that can be run")
        return path
    for python in worker_pythons(project).values():
        return python
    raise ToolMissingError(
        f"there is no Python for the host's worker: run make host-python, or set {WORKER_PYTHON} to one that has the "
        "packages of requirements.txt and, before 3.13, of requirements-host.txt"
    )


def worker_pythons(project: Path = PROJECT) -> Mapping[str, Path]:
    """By version, newest first: those that `make host-python` has set up."""
    pythons = {version: project / name / "bin" / "python" for version, name in ENVIRONMENTS.items()}
    return {version: python for version, python in pythons.items() if python.exists()}
