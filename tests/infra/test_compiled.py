"""The Bicep files by Bicep's own compiler, where there is one: errors, rules, format, and what comes of each mode."""

import json
import os
import shutil
from pathlib import Path

import pytest

from .compiler import Compiler
from .deployments import INFRA, MODES, NAMES

ASKED_BY_AZD = {"AZURE_ENV_NAME": "relay", "AZURE_LOCATION": "westeurope"}


def test_the_files_compile_without_a_warning(compiler: Compiler) -> None:
    """By the rules of infra/bicepconfig.json; modules are looked at with the file that uses them."""
    done = compiler.run("lint", INFRA / "main.bicep")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("param alwaysReady = [{ name: 'http' }]", "instanceCount"),
        ("param alwaysReady = [{ name: 'http', instanceCount: '1' }]", "int"),
        ("param hubs = [{ name: 'crm', consumerGroup: 'loader' }]", "consumerGroup"),
        ("param privateEndpoints = ['blobs']", "blobs"),
        ("param instanceMemoryMB = 1024", "1024"),
        ("param appSettings = { SEND_TIMEOUT: 10 }", "10"),
    ],
)
def test_a_slip_in_what_is_chosen_is_found_before_anything_is_deployed(
    compiler: Compiler, tmp_path: Path, wrong: str, problem: str
) -> None:
    file = tmp_path / "wrong.bicepparam"
    template = os.path.relpath(INFRA / "main.bicep", tmp_path)  # the compiler takes no absolute path
    file.write_text(f"using '{template}'\nparam environmentName = 'relay'\n{wrong}\n")
    done = compiler.run("build-params", file, "--stdout")
    assert done.returncode != 0
    assert problem in done.stderr


@pytest.mark.parametrize("mode", NAMES)
def test_what_a_deployment_makes_is_what_the_snapshot_says(compiler: Compiler, mode: str) -> None:
    done = compiler.snapshot(mode, "validate")
    how = "look at the difference, then: .venv/bin/python -m tests.infra.compiler"
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{how}"


def test_the_files_are_formatted(compiler: Compiler, tmp_path: Path) -> None:
    shutil.copytree(INFRA, tmp_path / "infra")
    shutil.copytree(MODES, tmp_path / "modes", ignore=shutil.ignore_patterns("*.json"))
    for pattern in ("**/*.bicep", "**/*.bicepparam"):
        done = compiler.run("format", "--pattern", f"{tmp_path}/{pattern}")
        assert done.returncode == 0, done.stderr
    for original, copy in ((INFRA, tmp_path / "infra"), (MODES, tmp_path / "modes")):
        for file in [*original.rglob("*.bicep"), *original.rglob("*.bicepparam")]:
            formatted = (copy / file.relative_to(original)).read_text(encoding="utf-8")
            assert file.read_text(encoding="utf-8") == formatted, f"run: bicep format {file.relative_to(INFRA.parent)}"


def test_without_a_variable_azd_deploys_the_defaults_and_with_one_its_value(compiler: Compiler) -> None:
    built = json.loads(compiler.run("build-params", INFRA / "main.bicepparam", "--stdout", environ=ASKED_BY_AZD).stdout)
    declared = json.loads(built["templateJson"])["parameters"]
    given = {name: each["value"] for name, each in json.loads(built["parametersJson"])["parameters"].items()}
    assert given.keys() == declared.keys()
    assert given == {name: each.get("defaultValue") for name, each in declared.items()} | {
        "environmentName": "relay",
        "location": "westeurope",
    }

    chosen = {
        "STATIC_EGRESS": "true",
        "INSTANCE_MEMORY_MB": "4096",
        "UPSTREAM_PRINCIPAL_IDS": '["22222222-2222-2222-2222-222222222222"]',
        "ALWAYS_READY": '[{"name": "http", "instanceCount": 2}]',
        "APP_SETTINGS": '{"SEND_TIMEOUT": "10"}',
    }
    done = compiler.run("build-params", INFRA / "main.bicepparam", "--stdout", environ=ASKED_BY_AZD | chosen)
    given = {
        name: each["value"]
        for name, each in json.loads(json.loads(done.stdout)["parametersJson"])["parameters"].items()
    }
    assert given["staticEgress"] is True
    assert given["instanceMemoryMB"] == 4096
    assert given["upstreamPrincipalIds"] == ["22222222-2222-2222-2222-222222222222"]
    assert given["alwaysReady"] == [{"name": "http", "instanceCount": 2}]
    assert given["appSettings"] == {"SEND_TIMEOUT": "10"}
