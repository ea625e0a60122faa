import sys
from pathlib import Path

import pytest

from tests.kit.environments import VirtualEnvironment

from .compiler import Compiler, CompilerMissingError, find_compiler

# To update: echo checkov | uv pip compile - --universal --python-version 3.11 --generate-hashes --no-header
# --no-annotate -o requirements-infra.txt
ENVIRONMENT = VirtualEnvironment(".venv-infra", ("requirements-infra.txt",))


@pytest.fixture(scope="session")
def checkov_python() -> Path:
    """The Python of an environment with checkov, whose hundred packages are nobody else's business."""
    return ENVIRONMENT.python(Path(sys.executable).resolve())


@pytest.fixture(scope="session")
def compiler() -> Compiler:
    """Skips the test where there is none: the snapshots are then believed to be up to date."""
    try:
        return find_compiler()
    except CompilerMissingError as missing:
        pytest.skip(str(missing))
