"""Virtual environments beside the usual one, for what cannot live in it; each is made once and kept between runs."""

import hashlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.locking import one_at_a_time

CHECKOUT = Path(__file__).resolve().parents[2]
INSTALL_TIMEOUT_SECONDS = 600.0


class InstallationError(Exception):
    """The virtual environment could not be made; the message ends with what the installer said."""


@dataclass(frozen=True, slots=True)
class VirtualEnvironment:
    """A folder of the checkout, and the files with the pinned packages that it has."""

    name: str
    requirements: Sequence[str]

    def python(self, interpreter: Path) -> Path:
        """The environment's Python; it is made with `interpreter` first unless it is there and up to date.

        Raises InstallationError.
        """
        folder = CHECKOUT / self.name
        stamp = folder / "made-from"
        files = [CHECKOUT / name for name in self.requirements]
        content = b"\0".join(file.read_bytes() for file in files)
        recipe = f"{interpreter} {hashlib.sha256(content).hexdigest()}"
        python = folder / "bin" / "python"
        with one_at_a_time(folder):
            if not stamp.exists() or stamp.read_text() != recipe:
                self._run([interpreter, "-m", "venv", "--clear", folder])
                arguments = [argument for file in files for argument in ("-r", file)]
                self._run(
                    [python, "-m", "pip", "--disable-pip-version-check", "install", "--require-hashes", *arguments]
                )
                stamp.write_text(recipe)
        return python

    def _run(self, command: list[str | Path]) -> None:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=INSTALL_TIMEOUT_SECONDS
        )
        if done.returncode != 0:
            raise InstallationError(f"{self.name} could not be made:\n{done.stdout[-2000:]}")
