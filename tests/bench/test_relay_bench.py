"""The measurement of a change's way in its short form: what is counted must hold; times of seconds say nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import NEVER_SHORT, PARTS
from local.stack.part import PROJECT


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("bench") / "results.json"
    command = [sys.executable, "-m", "bench", "--short", "--output", str(file)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "changes/s over those of the tutorials" in done.stdout
    measured: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return measured


def test_every_part_has_values_and_says_where_they_are_from(results: dict[str, Any]) -> None:
    assert results.keys() == PARTS.keys() - NEVER_SHORT
    for part in results.values():
        assert all(check["value"] is not None for check in part["checks"])
        assert part["where"]["versions"].keys() >= {"python", "node", "azurite", "azure-data-tables"}
        assert part["where"]["cores"] > 0


def test_the_tutorials_are_compared_with_the_same_exports(results: dict[str, Any]) -> None:
    """That they are the same, the measurement itself requires."""
    figures = results["speed"]["figures"]
    assert figures["profiles_compared"] == 200
    assert figures.keys() >= {"speedup_cold", "speedup_mix", "cpu_ratio_mix", "share_of_limit_cold"}
    for rounds in results["speed"]["runs"].values():
        for runs in rounds:
            assert {run["events"] for run in runs.values()} == {80}
            assert runs["tutorial"]["sends"] == 80


def test_operations_are_counted(results: dict[str, Any]) -> None:
    counted = results["operations"]["figures"]["operations_per_change"]
    for by_size in counted.values():
        assert all(each["events"] == 1 for each in by_size.values())
        assert by_size["1"]["queueRequests"] > 2  # put, delete and a share of a receive
        assert by_size["100"]["queueRequests"] < 0.1
        assert all(0 < each["sends"] <= 1 and each["eventBytes"] > 1_000 for each in by_size.values())
    assert counted["cold"]["1"]["tableRequests"] < 2.11  # read, save, and a tenth is new to an audience


def test_operations_do_not_grow_with_what_is_stored(results: dict[str, Any]) -> None:
    requests = [check for check in results["growth"]["checks"] if check["what"].startswith("table requests")]
    assert requests
    assert all(check["holds"] for check in requests), requests


def test_latencies_are_of_every_share_of_the_capacity(results: dict[str, Any]) -> None:
    figures = results["latency"]["figures"]
    assert list(figures["latency_seconds"]) == ["25%", "50%", "80%"]
    assert all(0 < each["p50"] <= each["p95"] <= each["p99"] for each in figures["latency_seconds"].values())


def test_memory_was_looked_at(results: dict[str, Any]) -> None:
    assert 0 < max(results["memory"]["runs"]["mib"]) <= results["memory"]["figures"]["peak_mib"]


def test_a_build_is_compared_with_that_of_a_revision(tmp_path: Path) -> None:
    """That both told the same of every profile, the measurement itself requires."""
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--short", "--against", "HEAD", "--tls", "--output", str(file)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    part = json.loads(file.read_text(encoding="utf-8"))["against"]
    assert part["figures"]["profiles_compared"] == 2 * 40 + 2 * 80 + 2 * 20
    assert all("the same build twice" in check["of"] and check["value"] > 0 for check in part["checks"])


def test_a_revision_that_is_not_there_is_named() -> None:
    command = [sys.executable, "-m", "bench", "--short", "--against", "no-such-revision"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1
    assert "no-such-revision" in done.stderr
    assert "Traceback" not in done.stderr
