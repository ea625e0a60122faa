import functools

import pytest

from .interpreter import ENVIRONMENT, interpreter_for_tests
from .runner import RunWorker
from .runner import run_worker as run_worker_on


@pytest.fixture(scope="session")
def run_worker() -> RunWorker:
    """`runner.run_worker` on this machine's Python 3.13."""
    return functools.partial(run_worker_on, ENVIRONMENT.python(interpreter_for_tests()))
