"""What the integration tests share: one local stack for all of them, and names that are each test's own."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings

from local.stack.local_stack import LocalStack

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
