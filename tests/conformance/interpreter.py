"""A Python 3.13 with the app's requirements and Microsoft's worker library, in a virtual environment kept between runs.

The worker library needs 3.13, while the project also supports older versions, so it cannot live in the usual
environment. After changing a version in requirements.txt, make requirements-conformance.txt again:

    echo azure-functions-runtime | uv pip compile - -c requirements.txt -o requirements-conformance.txt \
        --universal --python-version 3.13 --generate-hashes --no-header --no-annotate \
        --no-emit-package azure-functions --no-emit-package werkzeug --no-emit-package markupsafe

(the packages left out are those which requirements.txt has).
"""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.kit.environments import VirtualEnvironment
from tests.kit.interpreters import InterpreterMissingError, find_interpreter

ENVIRONMENT = VirtualEnvironment(".venv-conformance", ("requirements.txt", "requirements-conformance.txt"))


def interpreter_for_tests(environ: Mapping[str, str] = os.environ) -> Path:
    """Like `find_interpreter`, but skips the test where there is none, and fails it in CI, which must have one."""
    try:
        return find_interpreter("3.13", environ)
    except InterpreterMissingError as missing:
        if environ.get("CI", "").lower() in {"1", "true", "yes"}:
            pytest.fail(str(missing))
        pytest.skip(str(missing))
