"""What holds for every Bicep file. Nothing here has seen Azure: docs/deploy.md says what that leaves open."""

import copy
import json
import re
from collections import Counter
from typing import Any

import pytest

from .bicep import FILES, INFRA, BicepFile, Resource
from .resource_types import NOT_DEFINED, SNAPSHOT, TypeCheck, made

ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a": "Storage Queue Data Message Sender",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "2b629674-e913-4c01-ae53-ef4638d8f975": "Azure Event Hubs Data Sender",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
}
"""All that anybody is given. Whoever adds one says here what it is called, and in docs/deploy.md what it is for."""
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SECRETS = re.compile(
    r"listKeys|listSas|listSecrets|ConnectionString|password|@secure|primaryKey|\bsharedAccess", re.IGNORECASE
)
DEFINITIONS: dict[str, Any] = json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_every_property_is_one_that_the_resource_has(bicep: dict[str, BicepFile]) -> None:
    """By Bicep's type definitions of the very versions of the APIs that the files name."""
    found = [
        f"{file.path.stem}.{resource.name}: {problem}"
        for file, resource in made(bicep)
        for problem in TypeCheck(DEFINITIONS[f"{resource.type}@{resource.api_version}"], file.names).problems(resource)
    ]
    assert found == []
    assert len(list(made(bicep))) > 25


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("properties/allowSharedKeyAcess", False, "/properties/allowSharedKeyAcess is unknown"),
        ("properties/allowSharedKeyAccess", "no", "/properties/allowSharedKeyAccess is 'no', expected bool"),
        ("properties/networkAcls", {"bypass": "None"}, "/properties/networkAcls/defaultAction is missing"),
        ("properties/minimumTlsVersion", "1.2", "/properties/minimumTlsVersion is '1.2', expected TLS1_0"),
        ("properties/primaryEndpoints", {}, "/properties/primaryEndpoints is read-only"),
        ("sku", "Standard_LRS", "/sku is 'Standard_LRS', expected an object"),
        ("zones", "1", "/zones is '1', expected a list"),
    ],
)
def test_what_is_wrong_would_be_found(bicep: dict[str, BicepFile], path: str, value: Any, problem: str) -> None:
    file = bicep["storage"]
    account = next(each for each in file.resources if each.name == "account")
    body = copy.deepcopy(account.body)
    *parents, name = path.split("/")
    target = body
    for parent in parents:
        target = target[parent]
    target[name] = value
    wrong = Resource("account", account.type, account.api_version, existing=False, body=body)
    found = TypeCheck(DEFINITIONS[f"{account.type}@{account.api_version}"], file.names).problems(wrong)
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_each_resource_type_is_used_in_one_version(bicep: dict[str, BicepFile]) -> None:
    versions = {(resource.type, resource.api_version) for file in bicep.values() for resource in file.resources}
    assert len(versions) == len({kind for kind, _ in versions})
    assert {kind for kind, _ in versions} >= NOT_DEFINED


def test_every_module_is_given_all_that_it_takes_and_nothing_else(bicep: dict[str, BicepFile]) -> None:
    modules = bicep["main"].modules
    assert {path for path, _ in modules.values()} == set(FILES) - {INFRA / "main.bicep"}
    for name, (path, given) in modules.items():
        taken = bicep[path.stem].tree["parameters"]
        assert given.keys() == taken.keys(), name
        assert all(each["default"] is None for each in taken.values()), name


def test_every_parameter_and_variable_is_used(bicep: dict[str, BicepFile]) -> None:
    for file in bicep.values():
        declared = [*file.tree["parameters"], *file.tree.get("variables", {})]
        words = Counter(re.findall(r"\w+", re.sub(r"//.*|@description\(.*\)", "", file.text)))
        assert [name for name in declared if words[name] < 2] == [], file.path.name


def test_every_output_of_a_module_is_asked_for(bicep: dict[str, BicepFile]) -> None:
    main = bicep["main"]
    for name, (path, _) in main.modules.items():
        asked = set(re.findall(rf"\b{name}!?\.outputs\.(\w+)", main.text))
        assert asked == bicep[path.stem].outputs.keys(), name


def test_parameters_that_people_set_are_described_and_there(bicep: dict[str, BicepFile]) -> None:
    parameters = bicep["main"].tree["parameters"]
    described = {
        name for name, each in parameters.items() if any(one["type"] == "description" for one in each["decorators"])
    }
    assert described == parameters.keys()
    given = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    assert given.keys() <= parameters.keys()
    assert {name for name, each in parameters.items() if each["default"] is None} <= given.keys()


def test_only_the_roles_that_are_listed_are_given_and_only_by_name(bicep: dict[str, BicepFile]) -> None:
    given = {role for file in bicep.values() for role in re.findall(UUID, file.text)}
    assert given == ROLES.keys()
    for file in bicep.values():
        for resource in file.resources:
            if resource.type == "Microsoft.Authorization/roleAssignments":
                assert "scope" in resource.body, f"{file.path.stem}.{resource.name} would be for the whole group"


def test_nothing_asks_for_a_key_and_no_output_tells_a_secret(bicep: dict[str, BicepFile]) -> None:
    for file in bicep.values():
        lines = [line.split("//")[0] for line in file.text.splitlines()]
        found = [line.strip() for line in lines if SECRETS.search(line)]
        # What Application Insights calls so says where to write to; keys are refused there (DisableLocalAuth).
        expected = {"app": ["APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString"]}
        assert found == expected.get(file.path.stem, []), file.path.name


@pytest.mark.parametrize(
    ("file", "resource", "path", "value"),
    [
        ("storage", "account", "allowSharedKeyAccess", False),
        ("storage", "account", "allowBlobPublicAccess", False),
        ("vault", "vault", "enableRbacAuthorization", True),
        ("vault", "vault", "enablePurgeProtection", True),
        ("event-hubs", "namespace", "disableLocalAuth", True),
        ("monitoring", "insights", "DisableLocalAuth", True),
        ("app", "app", "httpsOnly", True),
    ],
)
def test_keys_are_refused_and_the_public_kept_out(
    bicep: dict[str, BicepFile], file: str, resource: str, path: str, value: bool
) -> None:
    made = next(each for each in bicep[file].resources if each.name == resource)
    assert made.body["properties"][path] is value


def test_hubs_see_the_static_addresses(bicep: dict[str, BicepFile]) -> None:
    """A service endpoint for Event Hubs would send from private ones."""
    network = next(each for each in bicep["network"].resources if each.name == "network")
    (subnet,) = network.body["properties"]["subnets"]
    endpoints = {each["service"] for each in subnet["properties"]["serviceEndpoints"]}
    assert endpoints == {"Microsoft.Storage", "Microsoft.KeyVault"}
    assert subnet["properties"]["delegations"][0]["properties"]["serviceName"] == "Microsoft.App/environments"


def test_the_console_is_given_the_addresses_that_the_output_tells(bicep: dict[str, BicepFile]) -> None:
    _, given = bicep["main"].modules["app"]
    assert given["egressAddresses"] == bicep["main"].outputs["EGRESS_ADDRESSES"]
    assert bicep["app"].variables["withStaticEgress"] == {"EGRESS_ADDRESSES": "egressAddresses"}
