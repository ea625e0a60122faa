"""The Kusto queries of the alert rules and the workbook, as Microsoft's language service reads them."""

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from shared.domain.configuration.paths import format_path
from shared.domain.exports.contract.contract import contract_of
from tests.kit.builders import configuration, destination
from tests.kit.made_exports import KEYS

from .deployments import INFRA, deployment

CHECKER = Path(__file__).with_name("queries.mjs")


def problems(queries: Sequence[str]) -> list[list[str]]:
    done = subprocess.run(
        ["node", CHECKER], input=json.dumps(queries), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_each_query_can_be_asked() -> None:
    made = deployment("everything").of_type("Microsoft.Insights/scheduledQueryRules")
    rules = [one["query"] for rule in made for one in rule.properties["criteria"]["allOf"]]
    items = json.loads((INFRA / "modules/workbook.json").read_text(encoding="utf-8"))["items"]
    charts = [item["content"]["query"].replace("{TimeRange:grain}", "5m") for item in items if item["type"] == 3]
    assert (len(rules), len(charts)) == (11, 12)
    queries = [*rules, *charts]
    assert dict(zip(queries, problems(queries), strict=True)) == {query: [] for query in queries}


def test_what_is_wrong_would_be_found() -> None:
    wrong = [
        "traces | where mesage == 'x'",
        "request | count",
        "traces | where (message == 'x'",
        "traces | summarise count()",
    ]
    assert all(problems(wrong))


def test_what_a_contract_has_for_data_explorer_whatever_is_mapped() -> None:
    """One destination with all odd keys and names at once: the language service takes a second to start."""
    made = configuration(
        {
            "destinations": [destination("crm", includeExportMetadata=True)],
            "dataflows": [
                {
                    "id": "crm",
                    "audiences": ["it's", 'say "no"', {"namespace": "back\\slash", "id": "line\nend"}],
                    "attributes": [
                        format_path((first, second)) for first in KEYS for second in ("title", "kind", "it's")
                    ],
                }
            ],
        }
    )
    (kusto,) = (text for text in contract_of(made, "crm").texts if text.language == "kusto")
    assert dict(zip(kusto.blocks, problems(kusto.blocks), strict=True)) == {block: [] for block in kusto.blocks}


def test_the_consumers_guides_queries() -> None:
    guide = (INFRA.parent / "docs/consumers.md").read_text(encoding="utf-8")
    queries = re.findall(r"```kusto\n(.*?)```", guide, re.DOTALL)
    assert len(queries) == 6
    assert dict(zip(queries, problems(queries), strict=True)) == {query: [] for query in queries}
