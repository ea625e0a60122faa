"""The package that is deployed: what is in it, and that it needs nothing which requirements.txt does not name."""

import subprocess
from pathlib import Path

from tests.kit.environments import CHECKOUT

from .package import deployed_files

_IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
import function_app, shared
modules = [module.name for module in pkgutil.walk_packages(shared.__path__, "shared.")]
for name in modules:
    importlib.import_module(name)
print(*modules, sep="\\n")
print(*{"azure_functions_runtime", "azurefunctions", "tests", "local"} & sys.modules.keys())
"""


def test_the_app_is_published_and_nothing_else() -> None:
    published = deployed_files()
    outside = [name for name in published if not name.startswith("shared/")]
    assert outside == ["function_app.py", "host.json", "requirements.txt"]
    of_the_app = {
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / "shared").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in published if name.startswith("shared/")} == of_the_app


def test_every_module_is_imported_with_what_requirements_txt_names(python_313: Path, deployed: Path) -> None:
    done = subprocess.run(
        [python_313, "-E", "-s", "-c", _IMPORT_EVERYTHING],
        cwd=deployed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *imported, unwanted = done.stdout.split("\n")[:-1]
    assert unwanted == ""
    files = {path.relative_to(deployed).with_suffix("") for path in (deployed / "shared").rglob("*.py")}
    assert set(imported) | {"shared"} == {".".join(file.parts).removesuffix(".__init__") for file in files}
