"""checkov's rules for Azure, and its search for secrets: what they find is what infra/checkov.yaml explains."""

import json
import re
import subprocess
from pathlib import Path

from .bicep import INFRA

CONFIGURATION = (INFRA / "checkov.yaml").read_text(encoding="utf-8")


def test_checkov_finds_what_is_explained_and_nothing_else(checkov_python: Path) -> None:
    options = ["--framework", "bicep", "secrets", "--output", "json", "--skip-download", "--quiet"]
    scan = subprocess.run(
        [str(checkov_python.with_name("checkov")), "--directory", str(INFRA), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=300,
        check=False,
    )
    found = json.loads(scan.stdout)
    reports = found if isinstance(found, list) else [found]
    (rules,) = [report for report in reports if report["check_type"] == "bicep"]
    assert rules["summary"]["parsing_errors"] == 0
    assert rules["summary"]["passed"] > 20
    failed = {check["check_id"] for report in reports for check in report["results"]["failed_checks"]}

    explained = re.findall(r"^  - (CKV\w+) +# \w.{20,}$", CONFIGURATION, re.MULTILINE)

    assert sorted(explained) == sorted(failed)
    assert CONFIGURATION.count("  - CKV") == len(explained)
