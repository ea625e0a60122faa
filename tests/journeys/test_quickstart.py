"""docs/quickstart.md and docs/upstream.md, word by word, on a stack of their own."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.queue import QueueClient, QueueSasPermissions, generate_queue_sas

from local.stack.local_stack import CHANGES_QUEUE
from local.stack.process import ServiceProcess
from tests.kit import running_host

pytestmark = pytest.mark.runs_the_app
ROOT = Path(__file__).parents[2]
QUICKSTART = (ROOT / "docs/quickstart.md").read_text().split("## On this machine")[1].split("## More of")[0]
SETUP, UP, SAMPLES, OWN = re.findall(r"```sh\n(.*?)```", QUICKSTART, re.DOTALL)
UPSTREAM = (ROOT / "docs/upstream.md").read_text()


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("quickstart")
    words = UP.split()
    assert words[:3] == [".venv/bin/python", "-m", "local"]
    command = [sys.executable, *words[1:], *running_host.OPTIONS, "--state-dir", str(directory), "--ports", "auto"]
    with ServiceProcess("up", command, ready="^Ready", log=directory / "up.log", cwd=ROOT):
        yield directory


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Where the commands run: what they write is not the project's."""
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    return tmp_path


def run(here: Path, state_dir: Path, script: str) -> str:
    script = re.sub(
        r"\.venv/bin/python -m local ([\w-]+)", rf"{sys.executable} -m local \1 --state-dir {state_dir}", script
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_from_a_clone_to_ones_own_change(state_dir: Path, here: Path) -> None:
    assert SETUP == "make setup\n"
    printed = run(here, state_dir, SAMPLES)
    assert "+ dataflow" in printed
    assert "sent 655 changes" in printed
    assert len(re.findall(r" v\d{16} ", printed, re.MULTILINE)) == 20
    assert {"crm-1", "analytics-1"} <= set(re.findall(r"^(\w+-1) ", printed, re.MULTILINE))
    assert "nested too deeply" not in printed
    heading, line, body = run(here, state_dir, OWN).partition("TIME ")[2].split("\n", 2)
    assert "PROFILE" in heading
    assert line.split().count("me") == 1
    (shown,) = re.findall(r"```json\n(.*?)```", QUICKSTART, re.DOTALL)
    when = r'"lastQualificationTime": "[^"]*"'
    assert json.loads(re.sub(when, '"": ""', body)) == json.loads(re.sub(when, '"": ""', shown))


def test_what_is_applied_counts_for_what_is_sent_next(state_dir: Path, here: Path) -> None:
    """However recently the running app has read the configuration before."""
    for hub in ("sales", "service"):
        destination = {"id": hub, "name": hub, "eventHubName": hub}
        dataflow = {"id": hub, "audiences": [f"audience-{hub}"]}
        (here / "hub.json").write_text(json.dumps({"destinations": [destination], "dataflows": [dataflow]}))
        membership = {
            "ups": {f"audience-{hub}": {"status": "realized", "lastQualificationTime": "2026-01-01T00:00:00Z"}}
        }
        change = {"profileId": hub, "occurredAt": "2026-01-01T00:00:00Z", "segmentMembership": membership}
        (here / "change.ndjson").write_text(json.dumps(change))

        run(here, state_dir, ".venv/bin/python -m local apply hub.json")
        run(here, state_dir, ".venv/bin/python -m local send change.ndjson")

        tail = f".venv/bin/python -m local tail --hub {hub} --count 1 --timeout 30 --json"
        assert json.loads(run(here, state_dir, tail))["properties"]["profileId"] == hub


def signed_queue_url(state_dir: Path) -> str:
    settings = json.loads((state_dir / "local.settings.json").read_text())["Values"]
    with QueueClient.from_connection_string(settings["RELAY_STORAGE"], CHANGES_QUEUE) as queue:
        signature = generate_queue_sas(
            queue.account_name or "",
            CHANGES_QUEUE,
            queue.credential.account_key,
            permission=QueueSasPermissions(add=True),
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )
        return f"{queue.url}?{signature}"


def test_the_upstream_guides_python(state_dir: Path, here: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```\n\n```\n", UPSTREAM, re.DOTALL)
    (expected,) = re.findall(r"```python\n.*?```\n\n```\n(.*?)```", UPSTREAM, re.DOTALL)
    (here / "send.py").write_text(program)
    cut_out = runpy.run_path(str(ROOT / "upstream/sources.py"))["write_package"]
    cut_out(ROOT, here / "installed")
    environment = {"PYTHONPATH": str(here / "installed"), "QUEUE_URL": signed_queue_url(state_dir)}
    done = subprocess.run(
        [sys.executable, "send.py"], cwd=here, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr


# What the guide's Java uses of the Azure SDK, as that declares it: the SDK itself is no part of this project.
JAVA_SDK = {
    "com/azure/core/util/Context": "public class Context { public static final Context NONE = null; }",
    "com/azure/core/credential/TokenCredential": "public interface TokenCredential {}",
    "com/azure/identity/DefaultAzureCredentialBuilder": "public class DefaultAzureCredentialBuilder {"
    " public com.azure.core.credential.TokenCredential build() { return null; } }",
    "com/azure/storage/queue/QueueClient": "public final class QueueClient { public Object sendMessageWithResponse("
    "String messageText, java.time.Duration visibilityTimeout, java.time.Duration timeToLive,"
    " java.time.Duration timeout, com.azure.core.util.Context context) { return null; } }",
    "com/azure/storage/queue/QueueClientBuilder": "public final class QueueClientBuilder {"
    " public QueueClientBuilder endpoint(String endpoint) { return this; }"
    " public QueueClientBuilder queueName(String queueName) { return this; }"
    " public QueueClientBuilder credential(com.azure.core.credential.TokenCredential credential) { return this; }"
    " public QueueClient buildClient() { return null; } }",
}


@pytest.mark.skipif(shutil.which("javac") is None, reason="needs a Java compiler")
def test_the_upstream_guides_java_compiles(tmp_path: Path) -> None:
    (program,) = re.findall(r"```java\n(.*?)```", UPSTREAM, re.DOTALL)
    sources = {"SendChanges": program}
    for name, text in JAVA_SDK.items():
        package, _, _ = name.rpartition("/")
        sources[name] = f"package {package.replace('/', '.')};\n{text}\n"
    for name, text in sources.items():
        file = tmp_path / f"{name}.java"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    command = ["javac", "-Xlint:all", "-Werror", "-sourcepath", ".", "-d", "classes", "SendChanges.java"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
