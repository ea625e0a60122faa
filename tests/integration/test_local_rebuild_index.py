"""`python -m local rebuild-index` on real storage: every membership is listed, also after an interruption."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from azure.data.tables import TableServiceClient

from local import cli
from local.commands import rebuild_index
from local.relay import opened_relay
from local.stack.local_stack import LocalStack
from local.stack.state import StateDirectory, write_settings
from shared.domain.profile_key import bucket_of_key, profile_key
from shared.errors import StorageError
from shared.services.backfills.rebuild_index import RebuildIndex, Rebuilt
from shared.services.changes.export import InboundMessage
from shared.settings import PROFILE_BUCKETS
from tests.kit.builders import item, membership

PROFILES = [f"p{number}" for number in range(20)]
KEYS = {profile_key(profile_id) for profile_id in PROFILES}
HALF_WAY = PROFILE_BUCKETS // 2


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of a stack with profiles whose index rows were lost."""
    with LocalStack(tmp_path) as stack:
        for name in stack.settings:
            monkeypatch.delenv(name, raising=False)
        write_settings(tmp_path / "local.settings.json", stack.settings)
        asyncio.run(remember_profiles(tmp_path))
        with TableServiceClient.from_connection_string(stack.storage_connection_string) as account:
            members = account.get_table_client("AudienceMembers")
            for row in list(members.list_entities()):
                members.delete_entity(row)
        yield tmp_path


async def remember_profiles(state: Path) -> None:
    changes = [item(profile_id, 1, segmentMembership=membership(1)) for profile_id in PROFILES]
    async with opened_relay(StateDirectory(state).settings()) as relay:
        for change in changes:
            body = json.dumps(change).encode()
            await relay.services.export_changes.handle(InboundMessage("m", body, 0))


def listed(state: Path) -> list[str]:
    with TableServiceClient.from_connection_string(StateDirectory(state).settings().storage) as account:
        return [str(row["RowKey"]) for row in account.get_table_client("AudienceMembers").list_entities()]


def rebuild(state: Path, *options: str) -> int:
    return cli.main(["rebuild-index", *options, "--state-dir", str(state)])


def test_every_membership_is_listed_and_progress_told(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listed(state) == []
    monkeypatch.setattr(rebuild_index, "_PROGRESS_SECONDS", 0.0)
    assert rebuild(state) == 0
    assert sorted(listed(state)) == sorted(KEYS)
    printed = capsys.readouterr()
    assert printed.out == "done: 1,024 of 1,024 buckets, 20 profiles, 20 rows\n"
    assert len(printed.err.splitlines()) == PROFILE_BUCKETS
    assert printed.err.splitlines()[0].startswith("1 of 1,024 buckets, ")
    assert rebuild(state, "--json", "--from-bucket", "1023") == 0
    assert json.loads(capsys.readouterr().out).items() >= {"buckets": 1_024, "ofBuckets": 1_024}.items()


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (StorageError("no answer"), 1)])
def test_after_an_interruption_it_says_how_to_go_on(
    state: Path,
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = RebuildIndex.run

    async def interrupted(self: RebuildIndex, first_bucket: int = 0) -> AsyncIterator[Rebuilt]:
        async for at in run(self, first_bucket):
            yield at
            if at.buckets == HALF_WAY:
                raise error

    with monkeypatch.context() as patch:
        patch.setattr(RebuildIndex, "run", interrupted)
        assert rebuild(state) == code
    first_half = {key for key in KEYS if bucket_of_key(key, PROFILE_BUCKETS) < HALF_WAY}
    assert set(listed(state)) == first_half
    told = capsys.readouterr().err
    assert f"512 of 1,024 buckets, {len(first_half)} profiles" in told
    assert told.rstrip().endswith("go on with python -m local rebuild-index --from-bucket 512")

    assert rebuild(state, "--from-bucket", "512") == 0
    assert set(listed(state)) == KEYS
    rest = len(KEYS - first_half)
    done = f"done: 1,024 of 1,024 buckets, {rest} profiles, {rest} rows from bucket 512 on\n"
    assert capsys.readouterr().out == done


def test_a_bucket_beyond_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rebuild-index", "--from-bucket", "1024"]) == 1
    assert "the last bucket is 1023" in capsys.readouterr().err
