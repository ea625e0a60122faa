"""Uploads over fakes: from a file to members, and what happens when something goes wrong on the way."""

import json
from dataclasses import replace
from typing import Any

import pytest

from shared.domain.backfills.backfill import BackfillState
from shared.domain.backfills.standstill import STALLED_AFTER
from shared.domain.backfills.upload import BadLine, UploadTally
from shared.domain.backfills.upload_view import Upload
from shared.domain.configuration.model import Audience, Configuration
from shared.domain.instants import DAY, MINUTE, SECOND, format_instant
from shared.domain.profile.memberships import Strength
from shared.domain.profile_key import profile_key
from shared.errors import (
    NoSuchUploadError,
    NotForUploadError,
    StorageError,
    UploadClosedError,
    UploadFileMissingError,
    UploadRefusedError,
    UploadTooLargeError,
)
from shared.services.backfills.planner import HISTORY
from shared.services.backfills.slices import SliceOutcome
from shared.services.backfills.upload_members import SETTLES_AT_LAST
from shared.services.backfills.uploads import MOST_POSTED_BYTES, AudienceUploads
from shared.services.changes.export import InboundMessage
from shared.views.uploads import UploadView
from tests.kit.builders import NOW, item, membership
from tests.kit.fakes.queues import MemoryChangesQueue
from tests.kit.world import World

AUDIENCE = ("ups", "list")
URL_LIFETIME = 3_600 * SECOND


class UploadWorld(World):
    """With an audience for uploads; what it puts on the queue of changes waits until `handle_changes`."""

    def __init__(self) -> None:
        super().__init__()
        catalog = [Audience(id="list", origin="custom-upload"), Audience(id="a")]
        stored = Configuration.model_validate_json(self.configuration.document)
        self.configuration.put(stored.model_copy(update={"audiences": catalog}))
        self.handled = 0

    @property
    def uploading(self) -> AudienceUploads:
        return self.worker.audience_uploads

    async def handle_changes(self) -> int:
        """What the app makes of what is on the queue; how many messages that was."""
        bodies, self.changes.bodies = self.changes.bodies, []
        for body in bodies:
            self.handled += 1
            await self.worker.export_changes.handle(InboundMessage(f"upload-{self.handled}", body, self.clock()))
        return len(bodies)

    @property
    def changes_put(self) -> list[dict[str, Any]]:
        """Those on the queue, in the order put."""
        documents = [json.loads(body) for body in self.changes.bodies]
        return [change for document in documents for change in document.get("changes", [document])]

    async def enter(self, *profile_ids: str, second: int = 1) -> None:
        changes = [item(each, second, segmentMembership=membership(second, audience="list")) for each in profile_ids]
        await self.handle(*changes, message_id=f"enter-{second}")

    async def realized(self) -> list[str]:
        rows = [await self.profiles.find(key) for key in self.profiles.rows]
        found = [(row.state, row.state.memberships.get(AUDIENCE)) for row in rows if row]
        return sorted(state.profile_id for state, entry in found if entry and entry.realized)

    async def finish(self, upload: Upload, minutes: int = 3) -> Upload:
        """Let the timer, the slices and the handling of changes run for a while."""
        for _ in range(minutes):
            await self.work_slices_and_changes()
            await self.clock.sleep(60)
            await self.worker.plan_backfills.run()
        return await self.uploading.get(upload.id)

    async def work_slices_and_changes(self) -> None:
        while self.slices.waiting or self.changes.bodies:
            if self.slices.waiting:
                await self.worker.work_slices.work(self.slices.waiting.pop(0))
            await self.handle_changes()


@pytest.fixture
def world() -> UploadWorld:
    return UploadWorld()


def csv_of(*profile_ids: str, header: str = "profileId") -> bytes:
    return "\r\n".join((header, *profile_ids, "")).encode()


async def test_a_small_file_is_taken_at_once_and_its_lines_become_members(world: UploadWorld) -> None:
    committed_at = world.clock()
    upload = await world.uploading.take(AUDIENCE, csv_of("p,", "q,2026-05-01T00:00:00Z", header="profileId,validUntil"))
    assert (upload.state, upload.committed_at, upload.bytes) == (BackfillState.RUNNING, committed_at, 50)

    done = await world.finish(upload)

    assert await world.realized() == ["p", "q"]
    stored = await world.profiles.load("q")
    entry = stored.state.memberships[AUDIENCE]
    assert (entry.time, entry.valid_until) == (committed_at, "2026-05-01T00:00:00Z")
    assert entry.last_qualification_time == format_instant(committed_at)
    shown = UploadView.model_validate(done).document()
    assert shown == {
        "id": "upload-2026-01-11T220000Z-00000001",
        "audience": {"namespace": "ups", "id": "list"},
        "state": "done",
        "format": "csv",
        "refresh": False,
        "replace": False,
        "force": False,
        "bytes": 50,
        "lines": 2,
        "accepted": 2,
        "bad": 0,
        "badLines": [],
        "exits": 0,
        "share": 1.0,
        "createdAt": "2026-01-11T22:00:00Z",
        "committedAt": "2026-01-11T22:00:00Z",
        "startedAt": "2026-01-11T22:00:00Z",
        "finishedAt": shown["finishedAt"],
        "note": None,
    }
    assert world.uploads.files == {}


async def test_a_large_file_is_written_by_the_client(world: UploadWorld) -> None:
    created = await world.uploading.create(AUDIENCE)
    assert (created.upload.state, created.access.expires_at) == (BackfillState.CREATED, NOW + URL_LIFETIME)
    with pytest.raises(UploadFileMissingError, match="has no file yet"):
        await world.uploading.commit(created.upload.id)
    await world.uploads.put(created.access.url, csv_of("p"))
    await world.clock.sleep(600)
    committed = await world.uploading.commit(created.upload.id)
    assert committed.committed_at == NOW + 10 * MINUTE
    done = await world.finish(committed)
    assert (done.state, await world.realized()) == (BackfillState.DONE, ["p"])


async def test_a_second_commit_answers_as_the_first(world: UploadWorld) -> None:
    created = await world.uploading.create(AUDIENCE)
    await world.uploading.store(created.upload.id, csv_of("p"))
    first = await world.uploading.commit(created.upload.id)
    await world.clock.sleep(60)
    assert await world.uploading.commit(created.upload.id) == first
    await world.finish(first)
    assert (await world.uploading.commit(created.upload.id)).committed_at == first.committed_at
    assert world.handled == 1


async def test_two_commits_at_the_same_moment_are_one(world: UploadWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    created = await world.uploading.create(AUDIENCE)
    await world.uploading.store(created.upload.id, csv_of("p"))
    find, other = world.uploads.find, []

    async def overtaken(upload_id: str) -> Any:
        monkeypatch.setattr(world.uploads, "find", find)
        other.append(await world.new_worker().audience_uploads.commit(upload_id))
        await world.clock.sleep(1)
        return await find(upload_id)

    monkeypatch.setattr(world.uploads, "find", overtaken)
    assert (await world.uploading.commit(created.upload.id)).committed_at == other[0].committed_at
    assert len(world.slices.waiting) == 1


@pytest.mark.parametrize("audience", [("ups", "a"), ("other", "list"), ("ups", "nobody")])
async def test_only_audiences_that_the_catalog_has_for_uploads(world: UploadWorld, audience: tuple[str, str]) -> None:
    expected = f"audience {audience[0]}/{audience[1]}: expected one that the catalog has with the origin custom-upload"
    for attempt in (world.uploading.create(audience), world.uploading.take(audience, csv_of("p"))):
        with pytest.raises(NotForUploadError, match=expected):
            await attempt
    assert (world.backfills.rows, world.uploads.files) == ({}, {})


async def test_a_file_that_is_refused_can_be_written_and_committed_again(world: UploadWorld) -> None:
    created = await world.uploading.create(AUDIENCE)
    for body in (b"", b"profileId,email\np,q\n"):
        await world.uploading.store(created.upload.id, body)
        with pytest.raises(UploadRefusedError, match="expected a header of profileId"):
            await world.uploading.commit(created.upload.id)
    with pytest.raises(UploadRefusedError):
        await world.uploading.take(AUDIENCE, b"email\np\n")
    assert [upload.id for upload in await world.uploading.list(AUDIENCE)] == [created.upload.id]
    await world.uploading.store(created.upload.id, csv_of("p"))
    await world.finish(await world.uploading.commit(created.upload.id))
    assert await world.realized() == ["p"]


async def test_what_is_too_large_to_be_posted(world: UploadWorld) -> None:
    created = await world.uploading.create(AUDIENCE)
    body = csv_of("x" * (MOST_POSTED_BYTES - 11))
    with pytest.raises(UploadTooLargeError, match=r"4,194,306 bytes, where at most 4,194,304 can be posted"):
        await world.uploading.store(created.upload.id, body)
    with pytest.raises(UploadTooLargeError):
        await world.uploading.take(AUDIENCE, body)


async def test_uploads_that_there_are_not(world: UploadWorld) -> None:
    await world.worker.plan_backfills.sweep()
    (sweep,) = world.backfills.rows
    for upload_id in ("x", sweep):
        for method in (world.uploading.get, world.uploading.commit, world.uploading.cancel):
            with pytest.raises(NoSuchUploadError, match=f"there is no upload '{upload_id}'"):
                await method(upload_id)
        with pytest.raises(NoSuchUploadError):
            await world.uploading.store(upload_id, b"")


async def test_bad_lines_are_reported_and_the_rest_is_done(world: UploadWorld) -> None:
    body = b'profileId\np\n\xff\n\n"q\nq"\n,\n"stray\n' + b"x" * 3_000 + b"\nr\np\n"
    done = await world.finish(await world.uploading.take(AUDIENCE, body))
    assert await world.realized() == ["p", "q\nq", "r"]
    assert (done.lines, done.accepted, done.bad) == (8, 4, 4)
    assert done.bad_lines == (
        BadLine(3, "not UTF-8"),
        BadLine(7, "expected 1 fields as in the header, got 2"),
        BadLine(8, "a quote that is not closed"),
        BadLine(9, "profileId: expected at most 2,000 characters"),
    )


async def test_replacing_lets_exactly_those_leave_who_are_not_listed(world: UploadWorld) -> None:
    await world.enter(*(f"p{number}" for number in range(300)))
    listed = [f"p{number}" for number in range(0, 300, 2)] + ["new"]
    committed_at = world.clock()
    done = await world.finish(await world.uploading.take(AUDIENCE, csv_of(*listed), replace=True))
    assert await world.realized() == sorted(listed)
    assert (done.accepted, done.exits, done.share) == (151, 150, 1.0)
    (stored,) = world.backfills.parts.values()
    assert UploadTally.from_text(stored.slice.tally).last_key == ""
    left = (await world.profiles.load("p1")).state.memberships[AUDIENCE]
    assert (left.time, left.strength) == (committed_at - 1, Strength.EXITED)
    assert left.last_qualification_time == format_instant(committed_at - 1)


async def test_exits_wait_for_the_lines_to_be_handled_so_that_nobody_listed_is_said_to_leave(
    world: UploadWorld,
) -> None:
    await world.enter("p", "q")
    upload = await world.uploading.take(AUDIENCE, csv_of("p"), replace=True)
    pointer = world.slices.waiting.pop(0)

    async def handled_late(seconds: float) -> None:
        await world.clock.sleep(seconds)
        if world.clock() > NOW + 20 * SECOND and not world.handled:
            await world.handle_changes()

    outcome = await world.new_worker(sleep=handled_late).work_slices.work(pointer)
    assert outcome == SliceOutcome.DONE
    assert [change["profileId"] for change in world.changes_put] == ["q"]
    assert (await world.finish(upload)).exits == 1


async def test_lines_that_are_never_seen_to_be_handled_do_not_hold_it_for_ever(world: UploadWorld) -> None:
    await world.enter("p", "q")
    upload = await world.uploading.take(AUDIENCE, csv_of("p"), replace=True)
    began = world.clock()
    await world.work_slices()
    first, *exits = world.changes_put
    assert (first["profileId"], {change["profileId"] for change in exits}) == ("p", {"p", "q"})
    assert SETTLES_AT_LAST <= world.clock() - began < SETTLES_AT_LAST + 2 * MINUTE
    await world.finish(upload)
    assert await world.realized() == ["p"]


async def test_who_enters_or_is_written_after_the_commit_stays(world: UploadWorld) -> None:
    await world.enter("p", "q")
    upload = await world.uploading.take(AUDIENCE, csv_of("new"), replace=True)
    await world.clock.sleep(1)
    await world.enter("q", "r", second=3_600 + 1)
    await world.finish(upload)
    assert await world.realized() == ["new", "q", "r"]


async def test_nobody_leaves_for_a_file_with_bad_lines_unless_forced(world: UploadWorld) -> None:
    await world.enter("p", "q")
    body = csv_of("p", "x" * 3_000)
    done = await world.finish(await world.uploading.take(AUDIENCE, body, replace=True))
    assert (await world.realized(), done.exits, done.state) == (["p", "q"], 0, BackfillState.DONE)
    assert done.share == 1.0
    assert done.note.startswith("nobody left the audience, for there are bad lines")
    done = await world.finish(await world.uploading.take(AUDIENCE, body, replace=True, force=True))
    assert (await world.realized(), done.exits, done.note) == (["p"], 1, "")


async def test_a_file_of_a_header_alone_empties_the_audience_it_replaces(world: UploadWorld) -> None:
    await world.enter("p", "q")
    done = await world.finish(await world.uploading.take(AUDIENCE, b"profileId", replace=True))
    assert (await world.realized(), done.lines, done.exits) == ([], 0, 2)


async def test_messages_are_filled(world: UploadWorld) -> None:
    upload = await world.uploading.take(AUDIENCE, csv_of(*(f"profile-{number:06}" for number in range(5_000))))
    await world.work_slices()
    sizes = [len(body) for body in world.changes.bodies]
    assert max(sizes) <= 65_536
    assert all(size > 65_000 for size in sizes[:-1])
    assert [change["profileId"] for change in world.changes_put] == [f"profile-{n:06}" for n in range(5_000)]
    assert (await world.finish(upload)).accepted == 5_000


class DyingQueue(MemoryChangesQueue):
    """The worker dies when it has put so many messages."""

    def __init__(self, world: UploadWorld, after: int) -> None:
        super().__init__()
        self._queue = world.changes
        self._left = after

    async def put(self, body: bytes) -> None:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        await self._queue.put(body)


@pytest.mark.parametrize("after", [1, 5, 9, 17, 18])
async def test_a_killed_worker_costs_duplicates_alone(world: UploadWorld, after: int) -> None:
    before = [f"old-{number}" for number in range(40)]
    await world.enter(*before)
    listed = [f"profile-{number:06}" for number in range(4_500)]
    upload = await world.uploading.take(AUDIENCE, csv_of(*listed, "x" * 3_000), replace=True, force=True)
    world.worker = world.new_worker(changes=DyingQueue(world, after))
    with pytest.raises(KeyboardInterrupt):
        await world.work_slices()
    world.worker = world.new_worker()
    assert world.slices.waiting == []
    await world.handle_changes()
    await world.clock.sleep(STALLED_AFTER / SECOND + 1)
    await world.worker.plan_backfills.run()
    done = await world.finish(upload)
    assert await world.realized() == listed
    assert (done.accepted, done.bad) == (4_500, 1)
    assert [bad.line for bad in done.bad_lines] == [4_502]


async def test_a_slice_passes_the_rest_on_when_its_time_is_over(
    world: UploadWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.services.backfills.slices.BUDGET_SECONDS", 2.0)
    await world.uploading.take(AUDIENCE, csv_of(*(f"profile-{number:06}" for number in range(5_000))))
    outcomes = await world.work_slices()
    assert outcomes[-1] == SliceOutcome.DONE
    assert outcomes.count(SliceOutcome.PASSED_ON) == len(outcomes) - 1 >= 3
    assert [change["profileId"] for change in world.changes_put] == [f"profile-{n:06}" for n in range(5_000)]


async def test_it_goes_at_the_pace_of_backfills(world: UploadWorld) -> None:
    began = world.clock()
    await world.uploading.take(AUDIENCE, csv_of(*(f"p{number}" for number in range(5_000))))
    await world.work_slices()
    assert 9 * SECOND < world.clock() - began < 11 * SECOND


async def test_a_cancelled_upload_lets_nobody_leave_from_then_on(
    world: UploadWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.services.backfills.upload_members.MEMBERS_A_STEP", 1)
    members = [f"p{number}" for number in range(40)]
    await world.enter(*members)
    upload = await world.uploading.take(AUDIENCE, b"profileId", replace=True)
    put = world.changes.put

    async def cancelled_after_five(body: bytes) -> None:
        await put(body)
        if len(world.changes.bodies) == 5:
            await world.new_worker().audience_uploads.cancel(upload.id)

    monkeypatch.setattr(world.changes, "put", cancelled_after_five)
    await world.work_slices()
    assert len(world.changes.bodies) == 5
    done = await world.finish(upload)
    assert (done.state, done.note) == (BackfillState.CANCELLED, "cancelled on request")
    assert (len(await world.realized()), world.uploads.files) == (35, {})
    assert (await world.uploading.cancel(upload.id)).state == BackfillState.CANCELLED


async def test_an_upload_that_was_cancelled_before_its_commit_is_closed(world: UploadWorld) -> None:
    created = await world.uploading.create(AUDIENCE)
    await world.uploading.store(created.upload.id, csv_of("p"))
    assert (await world.uploading.cancel(created.upload.id)).state == BackfillState.CANCELLED
    assert world.uploads.files == {}
    with pytest.raises(UploadClosedError, match=r"has ended \(cancelled on request\): create another one"):
        await world.uploading.commit(created.upload.id)
    with pytest.raises(UploadClosedError):
        await world.uploading.store(created.upload.id, csv_of("p"))


async def test_a_committed_file_cannot_be_posted_again(world: UploadWorld) -> None:
    upload = await world.uploading.take(AUDIENCE, csv_of("p"))
    with pytest.raises(UploadClosedError, match="was committed: create another one"):
        await world.uploading.store(upload.id, csv_of("q"))


@pytest.mark.parametrize("gone", [True, False])
async def test_a_file_that_is_not_the_committed_one_any_more_fails_and_lets_nobody_leave(
    world: UploadWorld, gone: bool
) -> None:
    await world.enter("q")
    created = await world.uploading.create(AUDIENCE, replace=True)
    await world.uploads.put(created.access.url, csv_of("p"))
    upload = await world.uploading.commit(created.upload.id)
    if gone:
        await world.uploads.delete(upload.id)
    else:
        await world.uploads.put(created.access.url, csv_of("other"))
    done = await world.finish(upload)
    assert done.state == BackfillState.FAILED
    assert done.note == "the file was deleted or written again after the commit: upload it again"
    assert (await world.realized(), world.uploads.files) == (["q"], {})


async def test_what_is_not_committed_within_a_day_is_given_up(world: UploadWorld) -> None:
    created = await world.uploading.create(AUDIENCE)
    await world.uploading.store(created.upload.id, csv_of("p"))
    await world.clock.sleep(DAY / SECOND - 1)
    assert await world.worker.plan_backfills.run() == {}
    assert world.uploads.files
    await world.clock.sleep(1)
    assert await world.worker.plan_backfills.run() == {created.upload.id: "cancelled"}
    assert world.uploads.files == {}
    with pytest.raises(UploadClosedError, match="it was not committed in time"):
        await world.uploading.commit(created.upload.id)


async def test_a_file_that_is_written_after_the_end_is_deleted_once_nobody_can_write_it_any_more(
    world: UploadWorld,
) -> None:
    created = await world.uploading.create(AUDIENCE)
    await world.uploads.put(created.access.url, csv_of("p"))
    await world.finish(await world.uploading.commit(created.upload.id))
    await world.uploads.put(created.access.url, csv_of("late"))
    await world.clock.sleep(2 * URL_LIFETIME / SECOND)
    assert await world.worker.plan_backfills.run() == {created.upload.id: "file deleted for good"}
    assert (await world.worker.plan_backfills.run(), world.uploads.files) == ({}, {})
    await world.clock.sleep(HISTORY / SECOND)
    assert await world.worker.plan_backfills.run() == {created.upload.id: "forgotten"}
    assert await world.uploading.list(AUDIENCE) == []


async def test_a_file_that_could_not_be_deleted_is_deleted_later(
    world: UploadWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await world.uploading.take(AUDIENCE, csv_of("p"))
    await world.work_slices_and_changes()

    async def broken(_: str) -> None:
        raise StorageError("down")

    with monkeypatch.context() as patch:
        patch.setattr(world.uploads, "delete", broken)
        with pytest.raises(StorageError):
            await world.worker.plan_backfills.run()
    assert (await world.uploading.get(upload.id)).state == BackfillState.DONE
    assert world.uploads.files
    await world.worker.plan_backfills.run()
    assert world.uploads.files == {}


async def test_the_timer_starts_what_could_not_be_started_at_once(
    world: UploadWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Any) -> None:
        raise StorageError("down")

    with monkeypatch.context() as patch:
        patch.setattr(world.slices, "put", broken)
        upload = await world.uploading.take(AUDIENCE, csv_of("p"))
    assert upload.state == BackfillState.WAITING
    await world.clock.sleep(60)
    assert await world.worker.plan_backfills.run() == {upload.id: "started"}
    await world.finish(upload)
    assert await world.realized() == ["p"]


async def test_storage_that_fails_brings_the_slice_again(world: UploadWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = await world.uploading.take(AUDIENCE, csv_of("p"))

    async def broken(_: bytes) -> None:
        raise StorageError("down")

    with monkeypatch.context() as patch:
        patch.setattr(world.changes, "put", broken)
        with pytest.raises(StorageError):
            await world.worker.work_slices.work(world.slices.waiting[0])
    assert (await world.finish(upload)).accepted == 1
    assert await world.realized() == ["p"]


async def test_uploads_are_listed_by_audience_and_among_the_backfills_once_committed(world: UploadWorld) -> None:
    created = await world.uploading.create(AUDIENCE)
    await world.clock.sleep(1)
    taken = await world.uploading.take(AUDIENCE, csv_of("p"))
    assert [upload.id for upload in await world.uploading.list(AUDIENCE)] == [created.upload.id, taken.id]
    assert await world.uploading.list(("ups", "other")) == []
    assert [backfill.id for backfill in await world.worker.plan_backfills.all()] == [taken.id]


async def test_a_forgotten_profile_stays_forgotten(world: UploadWorld) -> None:
    upload = await world.uploading.take(AUDIENCE, csv_of("p", "q"))
    await world.clock.sleep(10)
    await world.handle(item("p", 3_600 + 5, deleted=True), message_id="delete")
    await world.finish(upload)
    assert await world.realized() == ["q"]
    assert (await world.profiles.load("p")).state.empty
    assert [key for _, key in world.members.rows] == [profile_key("q")]


async def test_a_file_of_json_lines_is_taken_as_one_of_csv_is(world: UploadWorld) -> None:
    await world.enter("leaves", "p")
    await world.clock.sleep(60)
    lines = [
        {"profileId": "p"},
        {"profileId": "q", "validUntil": "2026-05-01T00:00:00Z"},
        {"profileId": ""},
        {"id": "x"},
    ]
    body = "\n".join(map(json.dumps, lines)).encode()
    upload = await world.uploading.take(AUDIENCE, body, replace=True, force=True, file_format="ndjson")
    done = await world.finish(upload)
    assert (done.state, done.format, done.accepted, done.exits) == (BackfillState.DONE, "ndjson", 2, 1)
    assert [line.line for line in done.bad_lines] == [3, 4]
    assert await world.realized() == ["p", "q"]
    entry = (await world.profiles.load("q")).state.memberships[AUDIENCE]
    assert entry.valid_until == "2026-05-01T00:00:00Z"


async def test_json_lines_go_on_from_their_checkpoints(world: UploadWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [f"profile-{number:05}" for number in range(3_000)]
    body = "\n".join(json.dumps({"profileId": each}) for each in listed).encode()
    upload = await world.uploading.take(AUDIENCE, body, file_format="ndjson")
    put, calls = world.changes.put, 0

    async def breaks_now_and_then(message: bytes) -> None:
        nonlocal calls
        calls += 1
        if calls % 4 == 2:
            raise StorageError("down")
        await put(message)

    monkeypatch.setattr(world.changes, "put", breaks_now_and_then)
    (pointer,) = world.slices.waiting
    for _ in range(100):
        try:
            if await world.new_worker().work_slices.work(pointer) == SliceOutcome.DONE:
                break
        except StorageError:
            continue
    assert calls > 4
    assert {change["profileId"] for change in world.changes_put} == set(listed)
    world.slices.waiting.clear()
    await world.clock.sleep(60)
    await world.worker.plan_backfills.run()
    assert (await world.uploading.get(upload.id)).accepted == len(listed)


@pytest.mark.parametrize("body", [b"", b"\n \n", b"\xef\xbb\xbf"])
async def test_an_empty_file_of_json_lines_is_refused(world: UploadWorld, body: bytes) -> None:
    with pytest.raises(UploadRefusedError, match="the file is empty"):
        await world.uploading.take(AUDIENCE, body, replace=True, file_format="ndjson")
    assert world.backfills.rows == {}


@pytest.mark.parametrize("valid_until", [None, "2026-09-01T00:00:00Z"])
async def test_a_refresh_lets_members_stay_and_exports_nobody(world: UploadWorld, valid_until: str | None) -> None:
    await world.enter("p", "q", "left")
    left = item("left", 2, segmentMembership=membership(2, "exited", "list"))
    await world.handle(left, message_id="left")
    await world.clock.sleep(29 * DAY / SECOND)
    world.sender.sent.clear()
    begun_at = world.clock()

    refresh = await world.uploading.refresh(AUDIENCE, valid_until)
    done = await world.finish(refresh)

    assert (done.state, done.refresh, done.accepted, done.exits) == (BackfillState.DONE, True, 2, 0)
    entry = (await world.profiles.load("p")).state.memberships[AUDIENCE]
    assert (entry.last_qualification_time, entry.valid_until) == (format_instant(begun_at), valid_until)
    assert world.sender.sent == []
    await world.clock.sleep(5 * DAY / SECOND)
    await world.worker.plan_backfills.sweep()
    await world.finish(refresh)
    assert await world.realized() == ["p", "q"]


async def test_an_exit_from_before_a_refresh_wins_whenever_it_arrives(world: UploadWorld) -> None:
    await world.enter("p", "q")
    await world.finish(await world.uploading.refresh(AUDIENCE))
    late = item("p", 2, segmentMembership=membership(2, "exited", "list"))
    await world.handle(late, message_id="late")
    assert await world.realized() == ["q"]


async def test_a_refresh_done_twice_writes_once(world: UploadWorld) -> None:
    await world.enter("p")
    upload = await world.uploading.refresh(AUDIENCE)
    await world.finish(upload)
    before = (await world.profiles.load("p")).state.memberships[AUDIENCE]
    for part in world.backfills.parts.values():
        part.slice = replace(part.slice, done=False, cursor="")
    row = world.backfills.rows[upload.id]
    row.backfill = replace(row.backfill, state=BackfillState.RUNNING)
    await world.clock.sleep(STALLED_AFTER / SECOND + 1)
    await world.worker.plan_backfills.run()
    await world.finish(upload)
    assert (await world.profiles.load("p")).state.memberships[AUDIENCE] == before


async def test_a_refresh_that_is_none(world: UploadWorld) -> None:
    with pytest.raises(UploadRefusedError, match="expected a time to come"):
        await world.uploading.refresh(AUDIENCE, "2026-01-11T21:59:59Z")
    with pytest.raises(NotForUploadError):
        await world.uploading.refresh(("ups", "a"))
    assert world.backfills.rows == {}
