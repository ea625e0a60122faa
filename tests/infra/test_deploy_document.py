"""docs/deploy.md names what the Bicep files take, make and give."""

import json
import re

from shared.domain.timers import TIMERS
from shared.web.permissions import Permission
from tests.kit.environments import CHECKOUT

from .deployments import INFRA, deployment, parameters, variables_of_azd
from .test_deployments import ROLES

DOCUMENT = (CHECKOUT / "docs/deploy.md").read_text(encoding="utf-8")
EVERYTHING = deployment("everything")
LOG_ALERTS = EVERYTHING.of_type("Microsoft.Insights/scheduledQueryRules")


def first_cells(header: str) -> list[str]:
    rows = DOCUMENT.split(f"| {header} |")[1].split("\n\n")[0].splitlines()[2:]
    return [row.split("|")[1].strip(" `") for row in rows]


def test_every_parameter_has_its_row_and_the_variable_that_azd_sets_it_by() -> None:
    assert sorted(first_cells("parameter")) == sorted(parameters())
    by_azd = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", DOCUMENT, re.MULTILINE))
    asked_for = {"environmentName", "location"}
    assert by_azd == {name: variable for name, variable in variables_of_azd().items() if name not in asked_for}


def test_the_defaults_that_are_told_are_those_of_the_template() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| `\w+` \| ([^|]+?) \|", DOCUMENT, re.MULTILINE))
    words = {"''": "none", "[]": "none", "{}": "none", "[{ name: 'profiles' }]": "`profiles`"}
    for name, said in told.items():
        written = parameters()[name] or ""
        assert said == words.get(written, written.strip("'")), name


def test_every_role_is_explained() -> None:
    explained = set(re.findall(r"^\| (?:relay|upstream) \| ([\w ]+) \|", DOCUMENT, re.MULTILINE))
    assert explained == set(ROLES.values())


def test_every_alert_rule_is_explained() -> None:
    metric_alerts = EVERYTHING.of_type("Microsoft.Insights/metricAlerts")
    suffix = EVERYTHING.outputs["RELAY_NAME"].removeprefix("func-relay")
    made = [rule.name.removeprefix("relay-").removesuffix(suffix) for rule in (*LOG_ALERTS, *metric_alerts)]
    assert first_cells("rule") == made


def test_every_timer_has_a_rule_that_misses_it() -> None:
    queries = (rule.properties["criteria"]["allOf"][0]["query"] for rule in LOG_ALERTS)
    missed = {name for query in queries for name in re.findall(r'name == "(\w+)" and tobool\(success\)', query)}
    assert missed == set(TIMERS)


def test_rules_and_workbook_name_functions_and_metrics_that_there_are() -> None:
    queries = "".join(rule.properties["criteria"]["allOf"][0]["query"] for rule in LOG_ALERTS)
    workbook = json.loads((INFRA / "modules/workbook.json").read_text(encoding="utf-8"))
    metrics = (CHECKOUT / "docs/metrics.md").read_text(encoding="utf-8")
    named = set(re.findall(r"profile_relay\.(\w+)", queries + json.dumps(workbook)))
    told = set(re.findall(r"\|[^|\n]*\| `profile_relay\.(\w+)` \|", metrics)) | {"alerts"}
    assert named == told - {"retried", "decided_again", "throttled"}
    sources = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "shared/triggers").glob("*.py"))
    functions = set(re.findall(r'function_name\("(\w+)"\)', sources))
    assert set(re.findall(r'"(\w+_\w+)"', queries)) == functions - {"admin_api", "console", "home"}


def test_app_roles_are_those_of_the_code() -> None:
    roles = json.loads((INFRA / "app-roles.json").read_text(encoding="utf-8"))
    assert [role["value"] for role in roles] == [str(permission) for permission in Permission]
    assert len({role["id"] for role in roles}) == len(roles)


def test_outputs_that_are_spoken_of_are_there() -> None:
    spoken_of = {
        "RELAY_URL",
        "RELAY_NAME",
        "FURTHER_RELAY_NAMES",
        "CHANGES_QUEUE_URL",
        "CHANGES_QUEUE_URLS",
        "EGRESS_ADDRESSES",
        "SIGN_IN_IDENTITY_PRINCIPAL_ID",
    }
    assert all(name in DOCUMENT for name in spoken_of)
    assert spoken_of <= EVERYTHING.outputs.keys()
