import os
from collections.abc import Iterator

import pytest

from local.errors import ToolMissingError
from local.stack.local_stack import LocalStack
from local.stack.real_host_tools import RUN_HOST, WORKER_PYTHON
from tests.real_host.tools import find_host, interpreters, worker_pythons


@pytest.fixture(scope="session")
def real_host() -> Iterator[None]:
    """The environment names the host and a Python for its worker; where this machine has none, the test is skipped."""
    try:
        host = find_host()
    except ToolMissingError as missing:
        pytest.skip(str(missing))
    python = os.environ.get(WORKER_PYTHON) or next((str(path) for _, path in worker_pythons()), None)
    if python is None:
        pytest.skip("; ".join(str(why) for why in interpreters().values()))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(RUN_HOST, str(host))
        environment.setenv(WORKER_PYTHON, python)
        yield


@pytest.fixture(scope="module")
def stack(real_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Of these tests alone, for all hosts of a stack take messages from the same queues."""
    with LocalStack(tmp_path_factory.mktemp("real-host"), hubs={"crm": 2}) as running:
        yield running
