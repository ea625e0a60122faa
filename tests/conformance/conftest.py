import functools
import shutil
from pathlib import Path

import pytest

from tests.kit.environments import CHECKOUT

from .interpreter import ENVIRONMENT, interpreter_for_tests
from .package import deployed_files
from .runner import RunWorker
from .runner import run_worker as run_worker_on


@pytest.fixture(scope="session")
def python_313() -> Path:
    """A Python 3.13 with what requirements.txt names, and Microsoft's worker library."""
    return ENVIRONMENT.python(interpreter_for_tests())


@pytest.fixture(scope="session")
def run_worker(python_313: Path) -> RunWorker:
    """`runner.run_worker` on this machine's Python 3.13."""
    return functools.partial(run_worker_on, python_313)


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    """A folder as Core Tools and azd would publish it."""
    for name in deployed_files():
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, target)
    return tmp_path
