"""What Bicep's own type definitions say of the resources that the files make: names of properties, enumerations,
what is required and what is read-only.

resource_types.json has those definitions, as far as the files touch them: each object's properties with their types
and flags. To make it anew, after the files use another resource or property:

    npm install --prefix /tmp/azmcp @azure/mcp-linux-x64
    .venv/bin/python -m tests.infra.resource_types /tmp/azmcp/node_modules/@azure/mcp-linux-x64/dist/azmcp
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from .bicep import BicepFile, Resource, parse_all, unwrapped

SNAPSHOT = Path(__file__).with_name("resource_types.json")
NOT_DEFINED = {
    "Microsoft.Insights/actionGroups",
    "Microsoft.Insights/diagnosticSettings",
    "Microsoft.Insights/metricAlerts",
    "Microsoft.Insights/scheduledQueryRules",
}
"""The tool that the definitions are taken from does not have these."""
_SYNTAX = {"parent", "scope", "dependsOn"}
_OF_ANY_NAME = "*"

Types: TypeAlias = dict[str, dict[str, list[str]]]


class TypeCheck:
    """Of one resource. `visited` are the objects that were looked at."""

    def __init__(self, types: Types, names: set[str]) -> None:
        self._types = types
        self._names = names
        self.visited: set[str] = set()

    def problems(self, resource: Resource) -> list[str]:
        of_this_name = f"{resource.type} {resource.body['name']}"  # some types differ by the resource's name
        return list(self._object(resource.body, of_this_name if of_this_name in self._types else resource.type, ""))

    def _object(self, given: dict[str, Any], type_name: str, where: str) -> Iterator[str]:
        self.visited.add(type_name)
        properties = self._types[type_name]
        for name, value in given.items():
            path = f"{where}/{name}"
            if name in properties:
                kind, flags = properties[name]
                if "ReadOnly" in flags:
                    yield f"{path} is read-only"
                else:
                    yield from self._value(value, kind, path)
            elif not (where == "" and name in _SYNTAX) and _OF_ANY_NAME not in properties:
                yield f"{path} is unknown: {type_name} has {', '.join(sorted(properties))}"
        for name, (_, flags) in properties.items():
            if "Required" in flags and name not in given:
                yield f"{where}/{name} is missing"

    def _value(self, value: Any, kind: str, where: str) -> Iterator[str]:
        if isinstance(value, dict) and value.keys() == {"operator"} and value["operator"]["type"] == "conditional":
            for branch in ("true_value", "false_value"):
                yield from self._value(value["operator"]["operands"][branch], kind, where)
        elif (isinstance(value, dict) and value.keys() & {"operator", "function"}) or value in (None, "null"):
            return  # computed elsewhere
        elif kind.endswith("[]"):
            yield from self._items(value, kind.removesuffix("[]"), where)
        elif kind in self._types:
            if isinstance(value, dict):
                yield from self._object(value, kind, where)
            elif value not in self._names:
                yield f"{where} is {value!r}, expected an object"
        else:
            yield from self._simple(value, kind, where)

    def _items(self, value: Any, kind: str, where: str) -> Iterator[str]:
        if isinstance(value, list):
            for each in value:
                yield from self._value(each, kind, where)
        elif isinstance(value, dict) and "loop_type" in value:
            yield from self._value(unwrapped(value), kind, where)
        elif value not in self._names:
            yield f"{where} is {value!r}, expected a list"

    def _simple(self, value: Any, kind: str, where: str) -> Iterator[str]:
        options = kind.split(" | ")
        expected = {"bool": bool, "int": int}.get(kind)
        if isinstance(value, dict | list):
            yield f"{where} is a structure, expected {kind}"
        elif isinstance(value, str) and (value in self._names or "${" in value):
            return
        elif expected is not None:
            if type(value) is not expected:
                yield f"{where} is {value!r}, expected {kind}"
        elif len(options) > 1 and value not in options:  # also where the service would take any string
            yield f"{where} is {value!r}, expected {kind}"


def types_of(snapshot: dict[str, Any], resource: Resource) -> Types:
    """Raises KeyError where the definitions lack the resource, or have it in another version of its API."""
    types: Types = snapshot[f"{resource.type}@{resource.api_version}"]
    return types


def made(files: dict[str, BicepFile]) -> Iterator[tuple[BicepFile, Resource]]:
    """The resources of known types that the files make, beside those that they only refer to."""
    for file in files.values():
        for resource in file.resources:
            if not resource.existing and resource.type not in NOT_DEFINED:
                yield file, resource


def _definitions(azmcp: str, resource_type: str) -> tuple[str, Types]:
    """The version of the API, and all that the tool knows."""
    command = [azmcp, "bicepschema", "get", "--resource-type", resource_type]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)["results"]["BicepSchemaResult"]
    body = next(each["bodyType"] for each in found if each["$type"] == "Resource")
    types = {each["name"]: _properties(each) for each in found if each["$type"] == "Object"}
    for element in body.get("elements", [body]):
        properties = _properties(element)
        types[f"{resource_type} {properties['name'][0]}" if "elements" in body else resource_type] = properties
        version = properties["apiVersion"][0]
    return version, types


def _properties(described: dict[str, Any]) -> dict[str, list[str]]:
    properties = {each["name"]: [each["type"], each.get("flags", "")] for each in described["properties"]}
    if described.get("additionalPropertiesType"):
        properties[_OF_ANY_NAME] = [described["additionalPropertiesType"], ""]
    return properties


def _make_snapshot(azmcp: str) -> None:
    from .conftest import ENVIRONMENT, interpreter

    snapshot: dict[str, Types] = {}
    for file, resource in made(parse_all(ENVIRONMENT.python(interpreter()))):
        version, types = _definitions(azmcp, resource.type)
        check = TypeCheck(types, file.names)
        check.problems(resource)
        kept = snapshot.setdefault(f"{resource.type}@{version}", {})
        kept.update({name: types[name] for name in check.visited})
    SNAPSHOT.write_text(_a_line_for_each_object(snapshot), encoding="utf-8")


def _a_line_for_each_object(snapshot: dict[str, Types]) -> str:
    resources = (
        f"{json.dumps(resource)}: {{\n"
        + ",\n".join(f" {json.dumps(name)}: {json.dumps(types[name], sort_keys=True)}" for name in sorted(types))
        + "\n}"
        for resource, types in sorted(snapshot.items())
    )
    return "{\n" + ",\n".join(resources) + "\n}\n"


if __name__ == "__main__":
    _make_snapshot(sys.argv[1])
