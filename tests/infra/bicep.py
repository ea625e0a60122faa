"""The Bicep files as checkov's parser reads them.

It tells a name from a string no better than `location` from `'location'`: whoever asks has to know which it is.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INFRA = Path(__file__).resolve().parents[2] / "infra"
FILES = tuple(sorted(INFRA.rglob("*.bicep")))
_PARSER = """
import json, sys
from pathlib import Path
from pycep import BicepParser
parser = BicepParser()
print(json.dumps([parser.parse(text=Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]))
"""


@dataclass(frozen=True, slots=True)
class Resource:
    """`body` is what is between its braces: once, where it is made in a loop or under a condition."""

    name: str
    type: str
    api_version: str
    existing: bool
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BicepFile:
    path: Path
    text: str
    tree: dict[str, Any]

    @property
    def names(self) -> set[str]:
        """What may be referred to by name."""
        kinds = ("parameters", "variables", "resources", "modules")
        return {name for kind in kinds for name in self.tree.get(kind, {})}

    @property
    def variables(self) -> dict[str, Any]:
        return {name: each["value"] for name, each in self.tree.get("variables", {}).items()}

    @property
    def outputs(self) -> dict[str, Any]:
        return {name: each["value"] for name, each in self.tree.get("outputs", {}).items()}

    @property
    def resources(self) -> Iterator[Resource]:
        for name, each in self.tree.get("resources", {}).items():
            yield Resource(name, each["type"], each["api_version"], each["existing"], unwrapped(each["config"]))

    @property
    def modules(self) -> dict[str, tuple[Path, dict[str, Any]]]:
        """Each module's file, and the parameters that it is given."""
        return {
            name: ((self.path.parent / each["detail"]["path"]).resolve(), unwrapped(each["config"])["params"])
            for name, each in self.tree.get("modules", {}).items()
        }


def unwrapped(value: Any) -> Any:
    """What is made, without the loop or the condition around it."""
    while isinstance(value, dict) and value.keys() & {"loop_type", "condition"} and "config" in value:
        value = value["config"]
    return value


def parse_all(python: Path) -> dict[str, BicepFile]:
    """Every Bicep file by its stem. `python` is of an environment that has the parser."""
    done = subprocess.run([python, "-c", _PARSER, *FILES], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    trees = json.loads(done.stdout)
    return {
        path.stem: BicepFile(path, path.read_text(encoding="utf-8"), tree)
        for path, tree in zip(FILES, trees, strict=True)
    }
