"""What a host pays for before it knows the functions: nothing is loaded that only their work needs."""

import subprocess
import sys

from tests.kit.environments import CHECKOUT

_LOADED = """
import sys
import function_app
print(*sorted(name for name in sys.modules if name.partition(".")[0] in {"azure", "shared", "pydantic", "aiohttp"}))
"""
_NEEDED = {"shared", "shared.hosting", "shared.said_outside", "shared.storage_account", "shared.telemetry"}


def test_indexing_loads_the_triggers_and_little_else() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADED], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.split() if not name.startswith("azure.functions") and name != "azure"}
    others = {name for name in loaded if not name.startswith("shared.triggers")}
    assert others == _NEEDED
    assert "shared.triggers.asgi" not in loaded
