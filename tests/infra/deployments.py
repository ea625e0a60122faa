"""What the Bicep files make of each mode of deployment, as Bicep's compiler foretells it.

modes/NAME.bicepparam says what is chosen, modes/NAME.snapshot.json which resources come of it. What Azure alone knows,
such as the id of an identity, stands there as an expression.
"""

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kit.environments import CHECKOUT

INFRA = CHECKOUT / "infra"
FILES = tuple(sorted(INFRA.rglob("*.bicep")))
MODES = Path(__file__).with_name("modes")
NAMES = tuple(sorted(file.stem for file in MODES.glob("*.bicepparam")))
_DEFAULT = re.compile(r"^param (\w+) .*? = (.+)$|^param (\w+) [^=\n]+$", re.MULTILINE)
_READ = re.compile(r"^param (\w+) = .*readEnvironmentVariable\('(\w+)'", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Resource:
    """`id` tells what an extension such as a role assignment belongs to."""

    id: str
    type: str
    name: str
    body: dict[str, Any]

    @property
    def properties(self) -> dict[str, Any]:
        properties: dict[str, Any] = self.body.get("properties", {})
        return properties


@dataclass(frozen=True, slots=True)
class Deployment:
    mode: str
    resources: list[Resource]
    outputs: dict[str, Any]
    diagnostics: list[Any]

    def of_type(self, kind: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type == kind]

    def only(self, kind: str) -> Resource:
        (resource,) = self.of_type(kind)
        return resource

    @property
    def app_settings(self) -> dict[str, str]:
        """Those of the app that people use; where there are further apps, it is the first."""
        return next(
            each for each in self.of_type("Microsoft.Web/sites/config") if "appsettings" in each.name
        ).properties


@functools.cache
def deployment(mode: str) -> Deployment:
    snapshot = json.loads((MODES / f"{mode}.snapshot.json").read_text(encoding="utf-8"))
    resources = [Resource(each["id"], each["type"], each["name"], each) for each in snapshot["predictedResources"]]
    return Deployment(mode, resources, snapshot["outputs"], snapshot["diagnostics"])


def parameters() -> dict[str, str | None]:
    """What people choose, with the default as it is written; None where something must be given."""
    text = (INFRA / "main.bicep").read_text(encoding="utf-8")
    return {name or required: default or None for name, default, required in _DEFAULT.findall(text)}


def variables_of_azd() -> dict[str, str]:
    """By which variable of its environment azd sets each parameter."""
    return dict(_READ.findall((INFRA / "main.bicepparam").read_text(encoding="utf-8")))
