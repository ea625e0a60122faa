"""Runs the live tests of azure-eventhub, as they come in its source distribution, against the local broker.

    python -m tests.sdk_live [PYTEST ARGUMENTS]

The distribution of the version that requirements.txt pins is fetched with pip. Only the fixtures are ours. Tests that
ask for TLS or port 443 and fail are counted apart. Takes about twenty minutes; ends with 1 if any other test fails.
"""

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from local.ports import AUTOMATIC_PORTS
from local.stack.emulators import Azurite, EventHubsBroker
from tests.kit.environments import CHECKOUT, VirtualEnvironment
from tests.sdk_live.report import lines, results

# To update: echo azure-eventhub-checkpointstoreblob | uv pip compile - -c requirements-dev.txt --universal
# --python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements-sdk-live.txt
ENVIRONMENT = VirtualEnvironment(".venv-sdk-live", ("requirements-dev.txt", "requirements-sdk-live.txt"))
SIDE_BY_SIDE = 6  # most of them sleep most of the time
LONGEST_TEST_SECONDS = 900


def source_distribution(python: Path, folder: Path) -> Path:
    """The unpacked source distribution of the pinned version."""
    pinned = re.search(r"^azure-eventhub==(\S+)", (CHECKOUT / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned
    requirement = f"azure-eventhub=={pinned[1]}"
    download = ["download", "--quiet", "--no-deps", "--no-binary", "azure-eventhub", requirement, "--dest", str(folder)]
    subprocess.run([str(python), "-m", "pip", *download], check=True)
    (archive,) = folder.glob("azure_eventhub-*.tar.gz")
    with tarfile.open(archive) as source:
        source.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def run_tests(python: Path, source: Path, environment: dict[str, str], junit: Path, arguments: list[str]) -> None:
    command: list[str | Path] = [
        *(python, "-P", "-m", "pytest", "--noconftest", "-p", "tests.sdk_live.fixtures"),
        *("-c", os.devnull, "--rootdir", source, "-o", "asyncio_mode=auto", "-o", "junit_family=xunit1"),
        *("-n", str(SIDE_BY_SIDE), "-q", "--tb=short", "--junitxml", junit),
        *(arguments or ["tests/livetest", "tests/pyamqp_tests/synctests", "tests/pyamqp_tests/asynctests"]),
    ]
    subprocess.run(command, cwd=source, env={**os.environ, **environment, "PYTHONPATH": str(CHECKOUT)}, check=False)


def main(arguments: list[str]) -> int:
    python = ENVIRONMENT.python(Path(sys.executable).resolve())
    with tempfile.TemporaryDirectory(prefix="sdk-live-") as temporary:
        folder = Path(temporary)
        source = source_distribution(python, folder)
        broker = EventHubsBroker(folder / "broker.log", AUTOMATIC_PORTS, {})
        azurite = Azurite(folder / "azurite.log", AUTOMATIC_PORTS, None)
        for part in (broker, azurite):
            part.start()
        with broker, azurite:
            environment = {
                "SDK_LIVE_AMQP_PORT": str(broker.ports.amqp),
                "SDK_LIVE_CONTROL_PORT": str(broker.ports.control),
                "SDK_LIVE_STORAGE": azurite.connection_string,
            }
            run_tests(python, source, environment, folder / "results.xml", arguments)
        print(broker.log.read_text(), file=sys.stderr)
        found = results(folder / "results.xml")
    for line in lines(found):
        print(line)
    return int(not found or any(result.outcome == "failed" for result in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
