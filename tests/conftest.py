"""What tests on a local stack share: the stack, its state directory, and names that are each test's own."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from local.stack.local_stack import LocalStack
from local.stack.state import write_settings

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Azurite and the Event Hubs stand-in, in memory, on free ports. A test that needs functions starts a host."""
    with LocalStack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@dataclass(frozen=True)
class UniqueNames:
    """Of a queue, of tables and of a hub. Nothing is created yet."""

    queue: str
    table_prefix: str
    hub: str


@pytest.fixture
def names() -> UniqueNames:
    """Lets tests share a stack without seeing each other."""
    unique = uuid.uuid4().hex
    return UniqueNames(queue=f"queue-{unique}", table_prefix=f"T{unique}", hub=f"hub-{unique}")


@pytest.fixture
def state(stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands find the settings of the running stack; the environment says nothing else."""
    for name in stack.settings:
        monkeypatch.delenv(name, raising=False)
    write_settings(tmp_path / "local.settings.json", stack.settings)
    return tmp_path
