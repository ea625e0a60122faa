"""The backfill measurement in its short form: what it counts must hold; what takes seconds says nothing about times."""

import json
import subprocess
import sys
from typing import Any

import pytest

from local.stack.part import PROJECT


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("bench") / "backfill.json"
    command = [sys.executable, "-m", "bench.backfill", "--short", "--output", str(file)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "requests a member" in done.stdout
    measured: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return measured


def test_a_member_costs_the_same_whoever_else_there_is(results: dict[str, Any]) -> None:
    for name, kinds in results["requestsPerMember"].items():
        assert kinds["Profiles: read"] == 1, name
        assert results["rowsPerMember"][name]["Profiles"] == 1, name
        assert results["rowsPerMember"][name]["AudienceMembers"] == 1, name
    counted = [check for check in results["checks"] if "a member" in check["what"] and "bound" in check]
    assert len(counted) == 4
    assert all(check["holds"] for check in counted), counted


def test_each_check_says_what_it_is_made_of(results: dict[str, Any]) -> None:
    assert "python -m bench.backfill --short" in results["how"]
    assert all(check["value"] is not None for check in results["checks"])
    backfilled = [run["backfilled_per_second"] for run in results["runs"]["live"]]
    assert [each is None for each in backfilled] == [True, False]
    assert all(run["members"] == run["exported"] > 0 for runs in results["runs"]["backfills"].values() for run in runs)
