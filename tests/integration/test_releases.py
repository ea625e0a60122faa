"""What earlier releases stored and sent, today's app reads and works on: tests/kit/make_fixtures.py wrote it, then."""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from local.eventually import eventually
from local.exports import Export, read_exports
from local.stack.local_stack import LocalStack
from shared import bootstrap
from shared.adapters.queues.pointers import ALERT_DELIVERIES, RETRIES, SLICES
from shared.adapters.tables.members import TableMembers
from shared.adapters.tables.profiles import TableProfiles
from shared.adapters.tables.service import table as tables
from shared.bootstrap import Relay, build
from shared.domain.backfills.backfill import BackfillKind, BackfillState
from shared.domain.instants import MINUTE, SECOND, parse_instant
from shared.domain.profile_key import INDEX_BUCKETS, profile_key
from shared.hosting import RELAY_STORAGE
from shared.ports.profiles import StoredProfile
from shared.services.alerts.deliver import DeliveryOutcome
from shared.services.backfills.slices import SliceOutcome
from shared.services.changes.export import InboundMessage
from shared.settings import PROFILE_BUCKETS, Connection
from tests.kit import stored
from tests.kit.make_fixtures import CONFIGURATION, SETTINGS

RELEASES = sorted((Path(__file__).parents[1] / "fixtures").glob("release-*"))
LOYAL = ("ups", "loyal")


class Release:
    """A release's tables under today's app; `written_at` is the app's clock when it begins."""

    def __init__(self, directory: Path, stack: LocalStack) -> None:
        self.directory = directory
        self.stack = stack
        self.written_at = parse_instant((directory / "written-at").read_text().strip())
        self.relay: Relay

    def rows(self, table: str) -> int:
        return len(stored.lines(self.directory / "tables" / f"{table}.ndjson"))

    def messages(self, queue: str) -> list[bytes]:
        return [text.encode() for text in stored.lines(self.directory / "queues" / f"{queue}.ndjson")]

    def changes(self) -> list[InboundMessage]:
        sent = stored.lines(self.directory / "queues/profile-changes.ndjson")
        return [InboundMessage(each["id"], each["text"].encode(), each["receivedAt"]) for each in sent]

    async def exports(self) -> list[Export]:
        count = sum(stats.events for stats in self.stack.broker.stats().hubs.values())
        hubs = self.stack.broker.stats().hubs
        reading = read_exports(self.stack.event_hubs_connection_string, hubs, count=count, timeout=60)
        return [export async for export in reading] if count else []


def test_there_is_a_release() -> None:
    assert [directory.name for directory in RELEASES][:1] == ["release-1"]


@pytest.fixture(params=RELEASES, ids=lambda directory: directory.name)
def restored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Release]:
    with LocalStack(tmp_path, hubs={"crm": 2, "not-there": 1}) as stack:
        stored.restore(stack.storage_connection_string, request.param)
        yield Release(request.param, stack)


@pytest.fixture
async def release(restored: Release, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Release]:
    """Its clock goes on from when it was written: else all of it would be outdated one day."""
    began = time.monotonic_ns()
    monkeypatch.setattr(
        bootstrap, "clock", lambda: restored.written_at + SECOND + (time.monotonic_ns() - began) // 1_000
    )
    restored.relay = await build(restored.stack.settings | SETTINGS | {"SEND_TIMEOUT": "20"})
    yield restored
    await restored.relay.close()


async def all_profiles(release: Release) -> dict[str, StoredProfile]:
    """Every row there is, by its key."""
    async with tables.Account(Connection(RELAY_STORAGE, release.stack.storage_connection_string)) as account:
        store = TableProfiles([tables.Table(account, "Profiles")] * PROFILE_BUCKETS)
        rows = stored.lines(release.directory / "tables/Profiles.ndjson")
        found = [await store.find(row["RowKey"]) for row in rows]
    return {profile.key: profile for profile in found if profile}


async def read_profiles_and_the_index(release: Release) -> None:
    profiles = await all_profiles(release)
    assert len(profiles) == release.rows("Profiles") == 6
    ann = profiles[profile_key("ann")].state
    assert ann.attributes.resolve() == {
        "person": {"name": {"firstName": "Ann"}, "age": 42},
        "a/b": [1, 2.5, None, "ü"],
    }
    assert ann.identities is not None
    assert ann.memberships[LOYAL].realized
    assert not profiles[profile_key("carl")].state.memberships[LOYAL].realized
    assert profiles[profile_key("bob/#?")].state.memberships[LOYAL].valid_until is not None
    assert profiles[profile_key("gone")].state.deletion is not None
    assert profiles[profile_key("stranger")].state.profile_id == ""
    async with tables.Account(Connection(RELAY_STORAGE, release.stack.storage_connection_string)) as account:
        index = TableMembers(tables.Table(account, "AudienceMembers"))
        listed = [await index.page(LOYAL, bucket, "", 100) for bucket in range(INDEX_BUCKETS)]
    assert {row.key for page in listed for row in page} == {
        profile_key(each) for each in ("ann", "bob/#?", "carl", "dora", "gone")
    }


async def read_the_configuration_and_what_workers_tell_each_other(release: Release) -> None:
    configuration = (await release.relay.configuration.load()).configuration
    assert {each.id for each in configuration.destinations} == {each["id"] for each in CONFIGURATION["destinations"]}
    paused = next(each for each in configuration.destinations if each.id == "paused")
    assert paused.authentication is not None
    assert {each.name for each in configuration.audiences} == {"Loyal customers", "A list", "By upstream"}
    assert [(each.id, each.enabled, each.consent) for each in configuration.dataflows] == [
        ("crm", True, None),
        ("asks", True, "/consents/marketing"),
        ("down", True, None),
        ("paused", False, None),
    ]
    assert list(await release.relay.services.health.load()) == ["down"]
    assert list(await release.relay.services.health.requests()) == ["crm"]


async def read_the_rest(release: Release) -> None:
    services = release.relay.services
    undelivered = [each.row async for each in release.relay.undelivered.of("down")]
    assert Counter(str(row.state) for row in undelivered) == {"retrying": 3, "parked": 2}
    quarantined = [each async for each in services.replay_quarantined.quarantined()]
    assert max(each.raw for each in quarantined) == b'{"profileId": "nobody", "occured": "a typing mistake"}'
    assert len(quarantined) == release.rows("Quarantine")
    assert len(await services.audit.newest_first(10)) == release.rows("Audit")
    assert [each.url for each in await services.alert_subscriptions.all()] == ["http://127.0.0.1:9/hook"]
    assert [each.rule for each in await services.evaluate_alerts.alerts()] == ["destination-down"]
    assert len(await services.evaluate_alerts.deliveries()) == 1
    counted = await services.run_history.totals(
        "crm", release.written_at - 60 * MINUTE, release.written_at + 60 * MINUTE
    )
    assert (counted.received, sum(counted.activated.values())) == (8, 8)
    shown = [len(await services.last_exports.of(each)) for each in ("crm", "asks", "down")]
    assert shown == [8, 2, 0]
    backfills = [each.backfill async for each in release.relay.backfills.all()]
    assert Counter((each.kind, each.state) for each in backfills) == {
        (BackfillKind.BACKFILL, BackfillState.DONE): 1,
        (BackfillKind.BACKFILL, BackfillState.RUNNING): 2,
        (BackfillKind.SWEEP, BackfillState.WAITING): 1,
        (BackfillKind.UPLOAD, BackfillState.RUNNING): 1,
        (BackfillKind.UPLOAD, BackfillState.CREATED): 1,
    }
    slices = [len(await release.relay.backfills.slices(each.id)) for each in backfills]
    assert len(backfills) + sum(slices) == release.rows("Backfills")


async def test_every_row_is_read(release: Release) -> None:
    await read_profiles_and_the_index(release)
    await read_the_configuration_and_what_workers_tell_each_other(release)
    await read_the_rest(release)


async def test_messages_that_were_sent_then_are_taken_now(release: Release) -> None:
    """As redelivered: what was due to be sent is sent, and nothing is exported that consumers have not heard of."""
    before = await all_profiles(release)
    for message in release.changes():
        await release.relay.services.export_changes.handle(message)
    after = await all_profiles(release)
    assert {key: found.state.version for key, found in after.items()} == {
        key: found.state.version for key, found in before.items()
    }
    told = {(each.properties["destinationId"], each.properties["profileId"]) for each in await release.exports()}
    assert {("crm", "ann"), ("crm", "bob/#?"), ("crm", "carl"), ("crm", "dora"), ("asks", "bob/#?")} <= told
    assert len([each async for each in release.relay.services.replay_quarantined.quarantined()]) == release.rows(
        "Quarantine"
    )


async def test_work_that_was_begun_then_is_finished_now(release: Release) -> None:
    services = release.relay.services
    outcomes = Counter(
        [
            await services.work_slices.work(pointer)
            for pointer in map(SLICES.decode, release.messages("backfill-slices"))
            if not pointer.backfill_id.startswith("upload-")  # whose file is not kept
        ]
    )
    assert set(outcomes) <= {SliceOutcome.DONE, SliceOutcome.WAITING}
    assert outcomes[SliceOutcome.DONE] >= INDEX_BUCKETS
    await services.plan_backfills.run()
    backfill = await release.relay.backfills.load("crm-1")
    assert backfill is not None
    assert backfill.backfill.state == BackfillState.DONE
    assert {each.properties["reason"] for each in await release.exports()} == {"backfill"}

    pointers = list(map(ALERT_DELIVERIES.decode, release.messages("alert-deliveries")))
    assert {await services.deliver_alerts.handle(pointer) for pointer in pointers} <= {
        DeliveryOutcome.RETRYING,
        DeliveryOutcome.FAILED,
    }

    for pointer in map(RETRIES.decode, release.messages("export-retries")):
        await services.retry_export.handle(pointer)

    async def nothing_undelivered() -> bool:
        await services.watch_destinations.run()
        return not [each async for each in release.relay.undelivered.of("down")]

    assert await eventually(nothing_undelivered, timeout=240)
    told = {
        each.properties["profileId"] for each in await release.exports() if each.properties["destinationId"] == "down"
    }
    assert {"ann", "bob/#?", "carl", "dora", "gone"} <= told


@pytest.mark.parametrize("directory", RELEASES, ids=lambda directory: directory.name)
def test_no_key_is_kept(directory: Path) -> None:
    text = "".join(file.read_text() for file in directory.rglob("*.ndjson"))
    assert "SharedAccessKey" not in text
    assert "AccountKey" not in text
    assert "whsec_" not in json.dumps(text)
