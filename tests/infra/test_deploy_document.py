"""docs/deploy.md names what the Bicep files take, make and give."""

import json
import re

from shared.web.permissions import Permission
from tests.kit.environments import CHECKOUT

from .bicep import INFRA, BicepFile
from .test_bicep import ROLES

DOCUMENT = (CHECKOUT / "docs/deploy.md").read_text(encoding="utf-8")
PARAMETERS = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]


def first_cells(header: str) -> list[str]:
    rows = DOCUMENT.split(f"| {header} |")[1].split("\n\n")[0].splitlines()[2:]
    return [row.split("|")[1].strip(" `") for row in rows]


def test_every_parameter_has_its_row(bicep: dict[str, BicepFile]) -> None:
    parameters = bicep["main"].tree["parameters"]
    assert sorted(first_cells("parameter")) == sorted(parameters)
    by_environment = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", DOCUMENT, re.MULTILINE))
    taken = {name: re.findall(r"^\$\{(\w+)", str(given["value"])) for name, given in PARAMETERS.items()}
    asked_by_azd = {"AZURE_ENV_NAME", "AZURE_LOCATION"}
    assert by_environment == {name: each[0] for name, each in taken.items() if each and each[0] not in asked_by_azd}


def test_defaults_of_the_parameters_file_are_those_of_the_template(bicep: dict[str, BicepFile]) -> None:
    for name, given in PARAMETERS.items():
        default = bicep["main"].tree["parameters"][name]["default"]
        value = given["value"]
        if isinstance(value, str):  # what azd sets, and what it takes otherwise
            _, _, value = value.removesuffix("}").partition("=")
            default = str(default).lower() if isinstance(default, bool) else str(default)
        if name not in {"environmentName", "location"}:
            assert value == default, name


def test_every_role_is_explained() -> None:
    explained = set(re.findall(r"^\| (?:relay|upstream) \| ([\w ]+) \|", DOCUMENT, re.MULTILINE))
    assert explained == set(ROLES.values())


def test_every_alert_rule_is_explained(bicep: dict[str, BicepFile]) -> None:
    rules = [rule["name"] for rule in bicep["alerts"].variables["rules"]]
    metrics = [each.name for each in bicep["alerts"].resources if each.type == "Microsoft.Insights/metricAlerts"]
    assert first_cells("rule") == [*rules, *metrics]


def test_rules_and_workbook_name_functions_and_metrics_that_there_are(bicep: dict[str, BicepFile]) -> None:
    workbook = (INFRA / "modules/workbook.json").read_text(encoding="utf-8")
    text = bicep["alerts"].text + json.dumps(json.loads(workbook))
    metrics = (CHECKOUT / "docs/metrics.md").read_text(encoding="utf-8")
    named = set(re.findall(r"profile_relay\.(\w+)", text))
    assert named == set(re.findall(r"\| `profile_relay\.(\w+)` \|", metrics)) - {"retried"}
    sources = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "shared/triggers").glob("*.py"))
    functions = set(re.findall(r'function_name\("(\w+)"\)', sources))
    asked_for = set(re.findall(r'"(\w+_\w+)"', "".join(rule["query"] for rule in bicep["alerts"].variables["rules"])))
    assert asked_for == functions - {"admin_api", "console"}


def test_app_roles_are_those_of_the_code() -> None:
    roles = json.loads((INFRA / "app-roles.json").read_text(encoding="utf-8"))
    assert [role["value"] for role in roles] == [str(permission) for permission in Permission]
    assert len({role["id"] for role in roles}) == len(roles)


def test_outputs_that_are_spoken_of_are_there(bicep: dict[str, BicepFile]) -> None:
    spoken_of = {"RELAY_URL", "RELAY_NAME", "CHANGES_QUEUE_URL", "EGRESS_ADDRESSES", "SIGN_IN_IDENTITY_PRINCIPAL_ID"}
    assert all(name in DOCUMENT for name in spoken_of)
    assert spoken_of <= bicep["main"].outputs.keys()
