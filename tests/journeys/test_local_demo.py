"""The demo plays to its end and says what came of it; it would notice a profile that was not forgotten."""

import json
import re
import signal
from pathlib import Path

import httpx
import pytest
from azure.data.tables import TableServiceClient

from local.commands.demo import forgetting
from local.commands.demo.forgetting import wait_until_forgotten
from local.commands.demo.traces import TOMBSTONE, Search, Trace, counted
from local.errors import LocalError
from local.stack.local_stack import LocalStack
from shared.bootstrap import build
from shared.domain.profile_key import profile_key
from shared.services.changes.export import InboundMessage
from tests.kit import running_host
from tests.kit.builders import ids, item, membership
from tests.kit.local_command import LocalCommand, still_running

DEMO_SECONDS = 180


@pytest.mark.runs_the_app
def test_the_demo_plays_to_its_end(tmp_path: Path) -> None:
    with LocalCommand("demo", *running_host.OPTIONS, "--keep", "--state-dir", tmp_path) as demo:
        demo.wait_for("Ctrl-C stops everything", DEMO_SECONDS)
        said = demo.stdout
        console = re.search(r"^Look at it: (\S+)", said, re.MULTILINE)
        assert console
        assert "Sales hears of customers" in httpx.get(console[1], timeout=60).text
        undelivered = httpx.get(f"{console[1]}/undelivered?destination=crm", timeout=60).text
        assert "too-large" in undelivered
        demo.send_signal(signal.SIGINT)
        assert demo.wait() == 0
    assert demo.stderr == ""
    assert len(re.findall(r"^(crm|analytics)-1 done in .*: 0 members, 0 exported$", said, re.MULTILINE)) == 2
    backfill = re.search(r"^crm-2 done in .*: 130 members, (\d+) exported", said, re.MULTILINE)
    assert backfill
    assert "… 127 more (--all)" in said
    first, *_ = said.split("One of them, whole:")
    assert len(re.findall(r"^[0-9:.]{12}  ", first, re.MULTILINE)) == 12
    assert "Left to look at: one change in quarantine, and one export" in said
    assert "of customer/0000, which is in AudienceMembers (3 rows), Profiles (1 row), Quarantine (1 row)" in said
    assert "forgotten after 2 last exports" in said

    table = said.split("\nSummary\n")[1]
    assert re.search(r"^changes in +656$", table, re.MULTILINE)
    assert re.search(rf"^exported +crm +backfill +{backfill[1]}$", table, re.MULTILINE)
    counts = [int(count) for count in re.findall(r"^exported .* (\d+)$", table, re.MULTILINE)]
    back = re.search(r"^([\d,]+) exports read back from the hubs", table, re.MULTILINE)
    assert back
    assert int(back[1]) >= sum(counts)  # more where a machine is so slow that exports were stored, and sent by a retry


def test_who_ends_it_ends_all_that_it_started(tmp_path: Path) -> None:
    with LocalCommand("demo", "--state-dir", tmp_path) as demo:
        demo.wait_for("started Event Hubs")
        children = list(demo.children().values())
        demo.send_signal(signal.SIGTERM)
        assert demo.wait() == 130
    assert len(children) > 1
    assert still_running(children) == []


async def test_the_search_finds_every_trace_and_knows_a_tombstone(tmp_path: Path) -> None:
    address = "jörg@example.com"
    profile = item("forget me", 1, segmentMembership=membership(1), identityMap=ids("only-his-identity"))
    body = json.dumps([profile | {"attributes": {"mail": address}}, {"profileId": "forget me", "bad": 1}])
    with LocalStack(tmp_path) as own:
        search = Search(own.storage_connection_string, "forget me", [address, "only-his-identity"])
        assert search.traces() == []
        relay = await build(own.settings)
        try:
            await relay.services.export_changes.handle(InboundMessage("m", body.encode(), 0))
            assert counted(search.traces()) == "AudienceMembers (1 row), Profiles (1 row), Quarantine (1 row)"
            assert TOMBSTONE not in search.traces()
            delete = json.dumps(item("forget me", 2, deleted=True)).encode()
            await relay.services.export_changes.handle(InboundMessage("n", delete, 0))
            assert search.traces() == [TOMBSTONE]
        finally:
            await relay.close()
        with TableServiceClient.from_connection_string(own.storage_connection_string) as account:
            other = account.create_table("Other")
            other.create_entity({"PartitionKey": "p", "RowKey": profile_key("forget me")})
            other.create_entity({"PartitionKey": "p", "RowKey": "mail", "text": f"to {address}"})
            other.create_entity(
                {"PartitionKey": "p", "RowKey": "bytes", "body0": b"by only-his", "body1": b"-identity"}
            )
        assert counted(trace for trace in search.traces() if trace != TOMBSTONE) == "Other (3 rows)"


async def test_what_is_left_fails_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kept:
        def traces(self) -> list[Trace]:
            return [TOMBSTONE, Trace("Quarantine")]

    monkeypatch.setattr(forgetting, "_DEADLINE_SECONDS", 0.0)
    with pytest.raises(LocalError, match=r"is still in Profiles \(1 row\), Quarantine \(1 row\)"):
        await wait_until_forgotten(Kept())  # type: ignore[arg-type]
