"""What docs/deploy.md says of bytecode that is published: it is used, whatever the time of the file beside it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
_COMPILED_AT_START = """
import importlib.machinery
compiled = []
as_ever = importlib.machinery.SourceFileLoader.source_to_code
def counted(self, data, path, **options):
    compiled.append(path)
    return as_ever(self, data, path, **options)
importlib.machinery.SourceFileLoader.source_to_code = counted
import shared.settings
print(*(path for path in compiled if path.startswith(PLACE)), sep="\\n")
"""


def compiled_at_start(app: Path) -> list[str]:
    """The app's modules that a new process compiles."""
    script = f"PLACE = {str(app)!r}\n{_COMPILED_AT_START}"
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}  # as where the package cannot be written to
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=app, env=environment, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.split()


def test_bytecode_that_is_published_is_used(tmp_path: Path) -> None:
    shutil.copytree(CHECKOUT / "shared", tmp_path / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "function_app.py", tmp_path)
    settings = str(tmp_path / "shared" / "settings.py")
    assert settings in compiled_at_start(tmp_path)
    (told,) = re.findall(r"^python3\.13( -m compileall .*)$", (CHECKOUT / "docs/deploy.md").read_text(), re.MULTILINE)
    subprocess.run([sys.executable, *shlex.split(told)], cwd=tmp_path, timeout=120, check=True)
    for file in tmp_path.rglob("*.py"):
        os.utime(file, (0, 0))
    assert compiled_at_start(tmp_path) == []
    with Path(settings).open("a") as written:
        written.write("\n")
    assert compiled_at_start(tmp_path) == [settings]


def test_bytecode_is_published() -> None:
    assert "__pycache__" not in (CHECKOUT / ".funcignore").read_text()
