"""The real Functions host and the Pythons for its worker, as far as this machine has them.

The worker of Python 3.13 brings its own packages. The older one takes them from the app's environment: after changing a
version in requirements.txt, make requirements-host.txt again:

    printf '%s\\n' azurefunctions-extensions-base grpcio grpcio-tools protobuf python-dateutil | \\
        uv pip compile - -c requirements.txt -o requirements-host.txt \\
        --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \\
        --no-emit-package azure-functions --no-emit-package werkzeug --no-emit-package markupsafe \\
        --no-emit-package typing-extensions

(the packages left out are those which requirements.txt has).
"""

import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.errors import ToolMissingError
from local.locking import one_at_a_time
from local.stack.real_host_tools import ENVIRONMENTS, RUN_HOST, run_host
from tests.kit.environments import CHECKOUT, VirtualEnvironment
from tests.kit.interpreters import InterpreterMissingError, find_interpreter

GENERATIONS = (("3.13",), ("3.11", "3.12"))
"""Of the worker: which Pythons each is for. Of each the first is taken that this machine has."""
_PACKED = "../shared/platform/functions-host/*.tar.xz"
_UNPACKED = CHECKOUT / ".local" / "functions-host"


def find_host(environ: Mapping[str, str] = os.environ) -> Path:
    """The run-host that FUNCTIONS_HOST names or, without it, that of the archives beside the checkout, unpacked once.

    Raises ToolMissingError.
    """
    if environ.get(RUN_HOST):
        return run_host(environ)
    archives = sorted(CHECKOUT.glob(_PACKED))
    if not archives:
        raise ToolMissingError(
            f"no Functions host: {RUN_HOST} names none, and there is no {_PACKED} beside the checkout"
        )
    return _unpacked(archives, _UNPACKED)


def _unpacked(archives: list[Path], folder: Path) -> Path:
    """Of several archives one has the folder in it, and the others what comes into that folder."""
    stamp = folder / "unpacked-from"
    recipe = "\n".join(f"{archive.name} {archive.stat().st_size}" for archive in archives)
    with one_at_a_time(folder.parent):
        if not stamp.exists() or stamp.read_text() != recipe:
            shutil.rmtree(folder, ignore_errors=True)
            for archive in archives:
                with tarfile.open(archive) as packed:
                    whole = (packed.next() or tarfile.TarInfo()).name.split("/")[0] == folder.name
                    packed.extractall(folder.parent if whole else folder, filter="data")
            stamp.write_text(recipe)
    return folder / "run-host"


def interpreters(environ: Mapping[str, str] = os.environ) -> dict[str, Path | str]:
    """By version: the Python of each generation, or why there is none."""
    found: dict[str, Path | str] = {}
    for versions in GENERATIONS:
        missing = ""
        for version in versions:
            try:
                found[version] = find_interpreter(version, environ)
            except InterpreterMissingError as error:
                missing = missing or str(error)
            else:
                break
        else:
            found[" or ".join(versions)] = missing
    return found


def worker_pythons(environ: Mapping[str, str] = os.environ) -> Iterator[tuple[str, Path]]:
    """(version, Python with the app's packages) of each generation that this machine has; each is made when its turn
    comes. Raises InstallationError.
    """
    for version, interpreter in interpreters(environ).items():
        if isinstance(interpreter, Path):
            own = [] if version == "3.13" else ["requirements-host.txt"]
            environment = VirtualEnvironment(ENVIRONMENTS[version], ["requirements.txt", *own])
            yield version, environment.python(interpreter)
