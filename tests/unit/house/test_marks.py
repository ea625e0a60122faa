"""Whoever runs the app in a Functions host says so, and is run by `make test-host`, too."""

import re

from tests.kit.environments import CHECKOUT

_RUNS_IT = re.compile(
    r"start_functions_host\(|RunningRelay\(|\brelay_stack\b|running_host\.OPTIONS|\bechoing\(|"
    r'faults\.(?:load|resync)\.run import|faults\.sign_in|LocalCommand\("(?:up|demo)"'
)


def test_what_runs_the_app_is_marked() -> None:
    modules = [path for path in (CHECKOUT / "tests").glob("*/test_*.py") if path.parent.name != "real_host"]
    running = {path.name for path in modules if _RUNS_IT.search(path.read_text(encoding="utf-8"))}
    marked = {path.name for path in modules if "mark.runs_the_app" in path.read_text(encoding="utf-8")}
    assert running == marked
    assert len(running) > 12
