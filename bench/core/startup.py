"""What importing the app costs a cold start, on top of importing azure.functions alone. Run it: make bench-startup"""

import os
import platform
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench.harness.worker_process import KEEP_COMPILED

ROUNDS = 15
LIMIT_SECONDS = 0.2
_TIMED = "import time; began = time.perf_counter(); import {module}; print(time.perf_counter() - began)"


def import_seconds(module: str) -> float:
    """The seconds that importing `module` takes in a new interpreter."""
    command = [sys.executable, "-c", _TIMED.format(module=module)]
    environment = os.environ | KEEP_COMPILED
    folder = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, check=True, text=True, cwd=folder, env=environment)
    return float(done.stdout)


def main() -> int:
    seconds: dict[str, list[float]] = {"azure.functions": [], "function_app": []}
    for module, measured in seconds.items():
        import_seconds(module)  # so that compiled modules are there for both
        measured.clear()
    for _ in range(ROUNDS):
        for module, measured in seconds.items():
            measured.append(import_seconds(module))
    bare, app = (statistics.median(measured) for measured in seconds.values())
    where = f"Python {platform.python_version()}, {platform.machine()}, {datetime.now(UTC):%Y-%m-%d}"
    print(f"import azure.functions  {bare * 1000:6.0f} ms   (median of {ROUNDS}; {where})")
    print(f"import function_app     {app * 1000:6.0f} ms")
    print(f"the app adds            {(app - bare) * 1000:6.0f} ms   (at most {LIMIT_SECONDS * 1000:.0f} ms)")
    return 0 if app - bare <= LIMIT_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
