"""Builds the package with flit, whose sources are cut out of the repository first, if that is around."""

from pathlib import Path
from typing import Any

from flit_core import buildapi
from sources import write_package

_HERE = Path(__file__).resolve().parent


def _prepare() -> None:
    if (_HERE.parent / "shared" / "upstream").is_dir():
        write_package(_HERE.parent, _HERE)


def build_wheel(folder: str, settings: Any = None, metadata: Any = None) -> Any:
    _prepare()
    return buildapi.build_wheel(folder, settings, metadata)


def build_sdist(folder: str, settings: Any = None) -> Any:
    _prepare()
    return buildapi.build_sdist(folder, settings)
