"""A failure of storage is one line of the app's log, with the service's code, and the message comes again."""

import asyncio
import re
from collections.abc import Iterator

import pytest

from local.eventually import eventually
from local.stack.local_stack import LocalStack
from local.storage_faults.rules import StorageFault
from tests.kit.builders import destination, item, membership
from tests.kit.running_relay import RunningRelay

pytestmark = pytest.mark.runs_the_app
CONFIGURATION = {
    "audiences": [{"id": "a"}],
    "destinations": [destination("crm")],
    "dataflows": [{"id": "crm", "audiences": ["a"], "attributes": ["/x"]}],
}
FAILED = re.compile(r"^.*\bexport_profile_changes failed: (.*?)\s*$", re.MULTILINE)


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRelay]:
    with LocalStack(tmp_path_factory.mktemp("failures"), hubs={"crm": 2}, storage_faults=True) as stack:
        relay = RunningRelay(stack, CONFIGURATION)
        asyncio.run(relay.start(lease_seconds=30))
        yield relay


async def test_each_failure_of_storage_is_one_line_with_its_code(relay: RunningRelay) -> None:
    relay.stack.storage_faults.set_faults(StorageFault(kind="status", service="table", path="/Profiles"))
    await relay.send(item("p", 1, segmentMembership=membership(1), attributes={"x": 1}))
    assert await eventually(lambda: len(FAILED.findall(relay.log)) >= 2, timeout=240)
    relay.stack.storage_faults.clear_faults()
    await relay.handled()
    told = FAILED.findall(relay.log)
    assert set(told) == {"table Profiles: could not read: HTTP 503 ServerBusy"}
    assert len(told) == relay.stack.functions_host.invocations()["export_profile_changes"].failed
    assert len(await relay.exports("p")) == 1
