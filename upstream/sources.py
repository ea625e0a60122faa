"""Cuts the package `profile_relay_upstream` out of this repository: `shared.upstream` and the modules that it imports.

They keep their places below `profile_relay_upstream._relay`, so that nothing named `shared` is installed anywhere.
"""

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "profile_relay_upstream"
_ENTRY = "shared.upstream"
_IMPORT = re.compile(r"^(\s*)(from|import) shared\b", re.MULTILINE)


def write_package(repository: Path, into: Path) -> None:
    """Write the package below the folder `into`, in the place of one that is there.

    Raises FileNotFoundError where `repository` has no such modules.
    """
    package = into / PACKAGE
    shutil.rmtree(package, ignore_errors=True)
    for name in modules(repository):
        source = _file_of(repository, name)
        written = package / "_relay" / source.relative_to(repository / "shared")
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(_renamed(source.read_text(encoding="utf-8")), encoding="utf-8")
    (package / "__init__.py").write_text(_entry(repository), encoding="utf-8")
    (package / "py.typed").touch()


def modules(repository: Path) -> list[str]:
    """The names of the modules, packages among them, that the client cannot do without."""
    found: set[str] = set()
    waiting = [_ENTRY]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if parent := name.rpartition(".")[0]:
            waiting.append(parent)
        waiting += _imports(repository, name)
    return sorted(found)


def _imports(repository: Path, name: str) -> Iterator[str]:
    """What a module imports of the repository, also within functions."""
    for node in ast.walk(ast.parse(_file_of(repository, name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "shared")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "shared":
            yield str(node.module)
            within = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (each for each in within if _is_module(repository, each))


def _is_module(repository: Path, name: str) -> bool:
    path = repository.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def _file_of(repository: Path, name: str) -> Path:
    path = repository.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _renamed(source: str) -> str:
    return _IMPORT.sub(rf"\1\2 {PACKAGE}._relay", source)


def _entry(repository: Path) -> str:
    """The package itself says what the client's own package does."""
    return _renamed(_file_of(repository, _ENTRY).read_text(encoding="utf-8"))
