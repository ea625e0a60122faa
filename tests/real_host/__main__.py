"""`make test-host`: what the tests say of the app on the real Functions host, with each Python that its workers know.

Runs the tests that are marked as `runs_the_app` once with each Python, and says what was skipped and why.
`--prepare` only sets up the Pythons, for `python -m local up --host real`.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local.errors import ToolMissingError
from local.stack.functions_host import HostKind
from local.stack.real_host_tools import RUN_HOST, WORKER_PYTHON
from tests.kit.environments import CHECKOUT, InstallationError
from tests.real_host.tools import find_host, interpreters, worker_pythons

_TESTS = ("-m", "pytest", "-m", "runs_the_app", "-rs", "-n", "2", "--dist", "loadscope", "--no-loadscope-reorder")


def main(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    if args.prepare:
        return _prepare()
    try:
        host = find_host()
    except ToolMissingError as missing:
        print(f"skipped, for there is {missing}", file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    codes = {version: _test(version, host, python, args.pytest) for version, python in worker_pythons()}
    for version, why in interpreters().items():
        if isinstance(why, str):
            print(f"Python {version}: skipped, for there is {why}")
    for version, code in codes.items():
        print(f"Python {version}: {'passed' if code == 0 else 'FAILED'}")
    return max(map(abs, codes.values()), default=1)


def _prepare() -> int:
    for version, python in worker_pythons():
        print(f"Python {version}: {python.relative_to(CHECKOUT)}")
    return 0


def _test(version: str, host: Path, python: Path, options: Sequence[str]) -> int:
    print(f"Python {version}, {host}:", flush=True)
    environment = os.environ | {"TEST_HOST": HostKind.REAL, RUN_HOST: str(host), WORKER_PYTHON: str(python)}
    return subprocess.run([sys.executable, *_TESTS, *options], cwd=CHECKOUT, env=environment, check=False).returncode


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.real_host", description=__doc__)
    parser.add_argument("--prepare", action="store_true", help="set up the Pythons for the worker, and end")
    parser.add_argument(
        "pytest", nargs="*", metavar="OPTION", help="for pytest, after --: which tests, how many at a time"
    )
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except InstallationError as error:
        sys.exit(str(error))
