"""Bicep's own compiler, where this machine has one: it need not be had, and is never downloaded.

After a change of the Bicep files, make the snapshots anew, and look at their difference before you commit it:

    .venv/bin/python -m tests.infra.compiler
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.kit.environments import CHECKOUT

from .deployments import MODES

BESIDE_THE_CHECKOUT = CHECKOUT.parent / "shared/tools/bicep"
# Nobody's: what is made of them must be the same everywhere.
_ASSUMED = {
    "--tenant-id": "00000000-0000-0000-0000-000000000002",
    "--subscription-id": "00000000-0000-0000-0000-000000000001",
    "--resource-group": "profile-relay",
    "--location": "westeurope",
    "--deployment-name": "main",
}


class CompilerMissingError(Exception):
    """This machine has no Bicep compiler; the message says how to have one."""


@dataclass(frozen=True, slots=True)
class Compiler:
    path: Path

    def run(self, *arguments: str | Path, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """`environ` is what the parameters file may read."""
        needed = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ}
        return subprocess.run(
            [self.path, *arguments],
            env=needed | {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"} | dict(environ or {}),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def snapshot(self, mode: str, action: str) -> subprocess.CompletedProcess[str]:
        """`action`: `overwrite` the snapshot of a mode, or `validate` it."""
        assumed = [word for option in _ASSUMED.items() for word in option]
        return self.run("snapshot", MODES / f"{mode}.bicepparam", "--mode", action, *assumed)


def find_compiler(environ: Mapping[str, str] = os.environ, beside: Path = BESIDE_THE_CHECKOUT) -> Compiler:
    """The compiler that BICEP names or, without it, the one on PATH, or `beside`. Raises CompilerMissingError."""
    chosen = environ.get("BICEP")
    if chosen:
        if not _works(Path(chosen)):
            raise CompilerMissingError(f"BICEP is {chosen!r}, which is not a Bicep compiler")
        return Compiler(Path(chosen))
    on_path = shutil.which("bicep", path=environ.get("PATH", ""))
    for candidate in (*([Path(on_path)] if on_path else []), beside):
        if _works(candidate):
            return Compiler(candidate)
    raise CompilerMissingError("no Bicep compiler was found: put `bicep` on PATH, or set BICEP to the path of one")


def _works(path: Path) -> bool:
    try:
        done = Compiler(path).run("--version")
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0 and done.stdout.startswith("Bicep CLI version")


def _make_snapshots() -> int:
    compiler = find_compiler()
    failed = 0
    for file in sorted(MODES.glob("*.bicepparam")):
        done = compiler.snapshot(file.stem, "overwrite")
        print(file.stem, "made" if done.returncode == 0 else done.stdout + done.stderr)
        failed |= done.returncode
    return failed


if __name__ == "__main__":
    sys.exit(_make_snapshots())
