"""`python -m tests.deployed_python`: the tests that need no stack, on the deployed Python. Part of make test-long.

The project runs on older versions, too, and all its tests with the Python that set it up. Here it is seen besides which
lines of `shared` they run: the floor that pyproject.toml says only rises.
"""

import os
import subprocess
import sys

from tests.kit.environments import CHECKOUT, VirtualEnvironment
from tests.kit.interpreters import InterpreterMissingError, find_interpreter

VERSION = "3.13"
_ENVIRONMENT = VirtualEnvironment(f".venv-tests-{VERSION.replace('.', '')}", ("requirements-dev.txt",))
_TESTS = ("tests/unit", "tests/contracts", "tests/web")
_PYTEST = ("-m", "pytest", "-n", "3", "--dist", "loadscope", "--cov", "--cov-report=term:skip-covered", *_TESTS)


def main() -> int:
    if "{}.{}".format(*sys.version_info) == VERSION:
        return 0
    try:
        interpreter = find_interpreter(VERSION)
    except InterpreterMissingError as missing:
        print(f"The tests do not run on Python {VERSION}, which is what is deployed: {missing}")
        return 1 if os.environ.get("CI") else 0
    python = _ENVIRONMENT.python(interpreter)
    print(f"The tests that need no stack, on Python {VERSION}, which is what is deployed:", flush=True)
    return subprocess.run([python, *_PYTEST], cwd=CHECKOUT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
