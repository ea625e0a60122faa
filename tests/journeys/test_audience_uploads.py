"""Uploads on real parts: a large file through its address, worked in slices by workers that die, and the whole app."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from azure.storage.blob.aio import ContainerClient
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from local.commands.apply import apply
from local.eventually import eventually
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from shared.adapters.queues.changes import StorageChangesQueue
from shared.adapters.queues.pointers import SLICES
from shared.adapters.tables.profiles import TableProfiles
from shared.adapters.tables.service import table
from shared.adapters.upload_files import CONTAINER
from shared.bootstrap import Relay, build, clock
from shared.domain.backfills.backfill import BackfillState
from shared.domain.backfills.upload_view import Upload
from shared.domain.configuration.model import parse_configuration_file
from shared.services.backfills.slices import SliceOutcome
from shared.services.backfills.uploads import CreatedUpload
from shared.services.changes.export import InboundMessage
from shared.settings import PROFILE_BUCKETS, Connection
from tests.kit import running_relay as whole_app
from tests.kit.builders import destination, item, membership

AUDIENCE = ("ups", "list")
CONFIGURATION: dict[str, Any] = {
    "audiences": [{"id": "list", "origin": "custom-upload"}],
    "destinations": [destination("crm")],
    "dataflows": [{"id": "crm", "audiences": ["list"]}],
}


class Killed(BaseException):
    """As a process that is killed, it lets nobody tidy up."""


class App:
    """The app's services on a stack without functions: the test plays the host."""

    def __init__(self, relay: Relay, stack: LocalStack) -> None:
        self.relay = relay
        self.uploads = relay.services.audience_uploads
        self._storage = stack.storage_connection_string

    async def taken(self, queue: str) -> list[QueueMessage]:
        """All messages of a queue, which are not there any more."""
        found = []
        async with QueueClient.from_connection_string(self._storage, queue, use_env_settings=False) as client:
            async for message in client.receive_messages(messages_per_page=32):
                found.append(message)
                await client.delete_message(message)
        return found

    async def work_slices(self) -> list[SliceOutcome]:
        """Once what is on the queue now."""
        pointers = [SLICES.decode(message.content.encode()) for message in await self.taken(SLICES.name)]
        return [await self.relay.services.work_slices.work(pointer) for pointer in pointers]

    async def handle(self, message_id: str, body: str) -> None:
        await self.relay.services.export_changes.handle(InboundMessage(message_id, body.encode(), clock()))

    async def realized(self, profile_ids: list[str]) -> list[str]:
        """Those of the profiles that are members."""
        async with table.Account(Connection("STORAGE", self._storage)) as account:
            profiles = TableProfiles([table.Table(account, "Profiles")] * PROFILE_BUCKETS)
            states = [(await profiles.load(profile_id)).state for profile_id in profile_ids]
        entries = [(state.profile_id, state.memberships.get(AUDIENCE)) for state in states]
        return [profile_id for profile_id, entry in entries if entry and entry.realized]

    async def files(self) -> list[str]:
        async with ContainerClient.from_connection_string(
            self._storage, CONTAINER, use_env_settings=False
        ) as container:
            return [blob.name async for blob in container.list_blobs()]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(tmp_path_factory.mktemp("uploads"), hubs={"crm": 2}) as running:
        yield running


@pytest.fixture
async def app(stack: LocalStack) -> AsyncIterator[App]:
    await apply(stack.storage_connection_string, parse_configuration_file(CONFIGURATION))
    relay = await build(stack.settings | {"BACKFILL_PER_SECOND": "1000000"})
    yield App(relay, stack)
    await relay.close()


def changes_in(messages: list[QueueMessage]) -> list[dict[str, Any]]:
    documents = [json.loads(message.content) for message in messages]
    return [change for document in documents for change in document.get("changes", [document])]


async def put(created: CreatedUpload, file: bytes) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.put(created.access.url, headers=dict(created.access.headers), content=file)
        assert answer.status_code == 201
        assert (await client.get(created.access.url)).status_code == 403


async def test_a_large_file_is_worked_in_slices_by_workers_that_die(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    old = [f"old-{number}" for number in range(60)]
    enter = [item(each, 1, segmentMembership=membership(1, audience="list")) for each in old]
    await app.handle("enter", json.dumps(enter))
    listed = old[:30] + [f"ü-{number:06}" for number in range(20_000)]
    lines = [f'"{each}",2099-01-01T00:00:00Z\r\n'.encode() for each in listed]
    lines[10_000:10_000] = [b"\xff,\r\n", b"too,many,fields\r\n", b'"two\r\nlines",\r\n']
    file = b"\xef\xbb\xbfprofileId,validUntil\r\n" + b"".join(lines)
    created = await app.uploads.create(AUDIENCE, replace=True, force=True)
    await put(created, file)
    upload = await app.uploads.commit(created.upload.id)
    assert (upload.state, upload.bytes) == (BackfillState.RUNNING, len(file))

    monkeypatch.setattr("shared.services.backfills.slices.BUDGET_SECONDS", 0.02)
    outcomes = await app.work_slices() + await app.work_slices()
    assert outcomes == [SliceOutcome.PASSED_ON] * 2
    await dies_after_two_messages(app, monkeypatch)
    await restart_what_stalled(app, monkeypatch)
    while (await app.uploads.get(upload.id)).accepted < 20_031:
        outcomes += await app.work_slices()
    assert set(outcomes) == {SliceOutcome.PASSED_ON}
    assert len(outcomes) > 3

    messages = await app.taken(CHANGES_QUEUE)
    put_changes = changes_in(messages)
    times = Counter(change["profileId"] for change in put_changes)
    assert set(times) == {*listed, "two\r\nlines"}
    assert 1 <= sum(times.values()) - len(times) < 2_000, "only what came since the last checkpoint is put again"
    assert len({change["occurredAt"] for change in put_changes}) == 1
    relevant = [message for message in messages if "old-" in message.content] + messages[-1:]
    for message in relevant:
        await app.handle(message.id, message.content)

    monkeypatch.setattr("shared.services.backfills.upload_members.SETTLES_IN", 0)
    done = await until_done(app, upload)
    exits = await app.taken(CHANGES_QUEUE)
    leaving = {change["profileId"] for change in changes_in(exits)}
    assert set(old[30:]) <= leaving <= {*old[30:], *listed}
    for message in [*exits, *relevant]:  # again, too, and in another order
        await app.handle(f"again-{message.id}", message.content)
    assert await app.realized(old) == old[:30]
    assert (done.accepted, done.bad, done.exits) == (20_031, 2, len(leaving))
    assert [bad.line for bad in done.bad_lines] == [10_002, 10_003]
    assert await app.files() == []


async def dies_after_two_messages(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    put, left = StorageChangesQueue.put, 2

    async def put_or_die(queue: StorageChangesQueue, body: bytes) -> None:
        nonlocal left
        await put(queue, body)
        left -= 1
        if not left:  # before the place behind it is saved
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(StorageChangesQueue, "put", put_or_die)
        patch.setattr("shared.services.backfills.slices.BUDGET_SECONDS", 60.0)
        with pytest.raises(Killed):
            await app.work_slices()


async def restart_what_stalled(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("shared.services.backfills.planner.STALLED_AFTER", -1)
        assert set((await app.relay.services.plan_backfills.run()).values()) == {"1 slices started again"}


async def until_done(app: App, upload: Upload) -> Upload:
    while (seen := await app.uploads.get(upload.id)).state != BackfillState.DONE:
        await app.work_slices()
        await app.relay.services.plan_backfills.run()
    return seen


async def test_an_upload_that_is_cancelled_leaves_no_file_and_goes_no_further(app: App) -> None:
    upload = await app.uploads.take(AUDIENCE, b"profileId\np\n", replace=True)
    cancelled = await app.uploads.cancel(upload.id)
    assert (cancelled.state, await app.files()) == (BackfillState.CANCELLED, [])
    assert await app.work_slices() == [SliceOutcome.OUTDATED]
    assert await app.taken(CHANGES_QUEUE) == []
    assert (await app.uploads.commit(upload.id)).state == BackfillState.CANCELLED


@pytest.mark.runs_the_app
async def test_the_whole_app_replaces_the_members_and_tells_only_of_who_comes_and_goes(stack: LocalStack) -> None:
    app = whole_app.RunningRelay(stack, CONFIGURATION)
    settings = {"BACKFILL_SCHEDULE": "* * * * * *", "CONFIG_CACHE_SECONDS": "0.5"}
    await app.start(lease_seconds=10, settings=settings)
    first, second = ([f"member-{number}" for number in numbers] for numbers in (range(200), range(100, 300)))
    uploading = await build(stack.settings)
    try:
        for listed, replace in ((first, False), (second, True)):
            body = "\n".join(["profileId", *listed]).encode()
            upload = await uploading.services.audience_uploads.take(AUDIENCE, body, replace=replace)

            async def done(upload_id: str = upload.id) -> bool:
                return (await uploading.services.audience_uploads.get(upload_id)).state == BackfillState.DONE

            assert await eventually(done, timeout=240)
            await app.handled()
    finally:
        await uploading.close()
    told = Counter(
        (export.properties["profileId"], export.body["segmentMembership"]["ups"]["list"]["status"])
        for export in await app.exports()
        if export.properties["profileId"].startswith("member-") and export.properties["reason"] == "audience"
    )
    entered = {(each, "realized") for each in {*first, *second}}
    assert set(told) == entered | {(each, "exited") for each in first[:100]}
