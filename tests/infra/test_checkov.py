"""checkov's rules for Azure, on what each mode of deployment makes, and its search for secrets in the Bicep files.

It is given the snapshots and not the files themselves: its parser of Bicep knows neither types nor today's format, and
here it sees values where there it saw names.
"""

import base64
import json
import re
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

from .deployments import INFRA, NAMES, deployment

EXPLANATIONS = Path(__file__).with_name("checkov.yaml").read_text(encoding="utf-8")
TEMPLATE = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
}


def scan(checkov_python: Path, folder: Path, framework: str) -> dict[str, Any]:
    options = ["--framework", framework, "--output", "json", "--skip-download", "--quiet"]
    done = subprocess.run(
        [str(checkov_python.with_name("checkov")), "--directory", str(folder), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=300,
        check=False,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_checkov_finds_what_is_explained_and_nothing_else(checkov_python: Path, tmp_path: Path) -> None:
    seen: set[str] = set()
    for mode in NAMES:
        resources = [
            {name: value for name, value in each.body.items() if name != "id"} for each in deployment(mode).resources
        ]
        new = {json.dumps(each, sort_keys=True): each for each in resources}
        unseen = [new[each] for each in new.keys() - seen]  # the modes have most in common, and a scan takes its time
        seen |= new.keys()
        (tmp_path / f"{mode}.json").write_text(json.dumps(TEMPLATE | {"resources": unseen}))
    found = scan(checkov_python, tmp_path, "arm")
    assert found["summary"]["parsing_errors"] == 0
    assert found["summary"]["passed"] > 100
    failed = {check["check_id"] for check in found["results"]["failed_checks"]}

    explained = re.findall(r"^  - (CKV\w+) +# \w.{20,}$", EXPLANATIONS, re.MULTILINE)

    assert sorted(explained) == sorted(failed)
    assert EXPLANATIONS.count("  - CKV") == len(explained)


def test_the_files_have_no_secret(checkov_python: Path, tmp_path: Path) -> None:
    """One that is put beside them is all that is found."""
    shutil.copytree(INFRA, tmp_path / "infra")
    key = base64.b64encode(secrets.token_bytes(64)).decode()
    (tmp_path / "infra/planted.bicep").write_text(f"var connection = 'AccountName=relay;AccountKey={key}'\n")
    found = scan(checkov_python, tmp_path / "infra", "secrets")
    assert {Path(check["file_path"]).name for check in found["results"]["failed_checks"]} == {"planted.bicep"}
