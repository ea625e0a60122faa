import sys
from pathlib import Path

import pytest

from tests.kit.environments import VirtualEnvironment

from .bicep import BicepFile, parse_all

# To update: echo checkov | uv pip compile - --universal --python-version 3.11 --generate-hashes --no-header
# --no-annotate -o requirements-infra.txt
ENVIRONMENT = VirtualEnvironment(".venv-infra", ("requirements-infra.txt",))


def interpreter() -> Path:
    """The one that the usual environment was made with."""
    return Path(sys.executable).resolve()


@pytest.fixture(scope="session")
def checkov_python() -> Path:
    """The Python of an environment with checkov, whose hundred packages are nobody else's business."""
    return ENVIRONMENT.python(interpreter())


@pytest.fixture(scope="session")
def bicep(checkov_python: Path) -> dict[str, BicepFile]:
    return parse_all(checkov_python)
