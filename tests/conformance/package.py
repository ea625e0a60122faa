"""What is published: Core Tools and azd leave out what .funcignore names, which is written as a .gitignore is."""

import subprocess

from tests.kit.environments import CHECKOUT


def deployed_files() -> list[str]:
    """The paths in the checkout, as git reads .funcignore."""
    ignored = _listed("--ignored", "--exclude-from=.funcignore")
    return sorted(_listed("--exclude-standard") - ignored)


def _listed(*options: str) -> set[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", *options]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=True)
    return {name for name in done.stdout.split("\0") if (CHECKOUT / name).is_file()}
