"""What this release writes, release 0.1 reads and works on, and this one goes on with what is left: 0.1's own code does
it, as it does while an update rolls, or after going back.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from local.commands.apply import apply
from local.exports import Export, read_exports
from local.stack.local_stack import LocalStack
from shared import bootstrap
from shared.adapters.tables import previous_release
from shared.adapters.tables.alerts import TableAlerts
from shared.adapters.tables.service import table as tables
from shared.bootstrap import Relay, build
from shared.domain.alerts.alert import Alert, AlertEvent
from shared.domain.alerts.formats import WebhookFormat
from shared.domain.alerts.rule import THE_APP
from shared.domain.alerts.subscription import SubscriptionDetails
from shared.domain.backfills.backfill import BackfillKind, BackfillState
from shared.domain.backfills.standstill import STALLED_AFTER
from shared.domain.backfills.upload import UploadOrder
from shared.domain.configuration.model import Audience, Dataflow, Destination, MappedAudience, parse_configuration_file
from shared.domain.instants import SECOND, format_instant
from shared.domain.messages.pointers import SlicePointer
from shared.domain.messages.resync_item import Everything, ResyncRequest
from shared.domain.profile.last_told import mark
from shared.domain.profile_key import profile_key
from shared.errors import ConfigurationError
from shared.hosting import RELAY_STORAGE
from shared.ports.alerts import Stored
from shared.services.backfills.slices import SliceOutcome
from shared.settings import Connection
from tests.kit import release_0_1, stored
from tests.kit.make_fixtures import CONFIGURATION, SETTINGS, messages, play

PEOPLE = ("ann", "bob/#?", "carl", "dora", "gone", "stranger")
KEYS = [profile_key(each) for each in PEOPLE]
LATER_SUBSCRIPTIONS = {
    "https://example.com/chat": SubscriptionDetails(url="https://example.com/chat", format=WebhookFormat.SLACK),
    "https://example.com/new": SubscriptionDetails(
        url="https://example.com/new", events=["no-changes"], thresholds={"no-changes": 20}
    ),
}
LATER_ALERT = Alert(
    id="1",
    destination_id=THE_APP,
    rule="no-changes",
    threshold=20,
    value=30,
    opened_at=bootstrap.clock(),
    announced=AlertEvent.OPENED,
)
RELEASE_1 = Path(__file__).parents[1] / "fixtures/release-1"


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the code of 0.1."""
    try:
        return release_0_1.unpack(tmp_path_factory.mktemp("release"))
    except release_0_1.NoSuchReleaseError as error:
        pytest.fail(str(error))


class Both(NamedTuple):
    """Today's app, the stack that both work on, and 0.1 at work there. `wait` lets the time of today's app go on."""

    relay: Relay
    stack: LocalStack
    changes: list[dict[str, Any]]
    old: Callable[..., Any]
    wait: Callable[[int], None]

    async def exports(self) -> list[Export]:
        hubs = self.stack.broker.stats().hubs
        count = sum(each.events for each in hubs.values())
        return [each async for each in read_exports(self.stack.event_hubs_connection_string, hubs, count=count)]

    async def told(self, destination_id: str) -> Counter[str]:
        """How many exports of each profile the destination has."""
        exports = [each.properties for each in await self.exports()]
        return Counter(each["profileId"] for each in exports if each["destinationId"] == destination_id)

    @asynccontextmanager
    async def alerts(self) -> AsyncIterator[TableAlerts]:
        async with tables.Account(Connection(RELAY_STORAGE, self.stack.storage_connection_string)) as account:
            yield TableAlerts(tables.Table(account, "Alerts"))


@pytest.fixture
async def both(tmp_path: Path, release: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Both]:
    """Everything of make_fixtures is stored by this release, 0.1 has done nothing yet."""
    skipped = 0
    actual = bootstrap.clock

    def wait(microseconds: int) -> None:
        nonlocal skipped
        skipped += microseconds

    monkeypatch.setattr(bootstrap, "clock", lambda: actual() + skipped)
    with LocalStack(tmp_path, hubs={"crm": 2}) as stack:
        await apply(stack.storage_connection_string, parse_configuration_file(CONFIGURATION))
        settings = stack.settings | SETTINGS
        relay = await build(settings)
        now = bootstrap.clock()
        texts = messages(now)
        await play(relay, stack.storage_connection_string, texts, now)
        await relay.services.runs.flush()
        changes = [{"id": name, "text": text, "receivedAt": now} for name, text in texts.items()]

        async def old(task: str, given: Any = None) -> Any:
            return await asyncio.to_thread(release_0_1.act, release, task, settings, given)

        yield Both(relay, stack, changes, old, wait)
        await relay.close()


async def seen_by_0_1(both: Both) -> None:
    seen = await both.old("read", KEYS)
    assert seen["profiles"]["ann"]["attributes"]["person"] == {"name": {"firstName": "Ann"}, "age": 42}
    assert seen["profiles"]["ann"]["due"] == 1
    assert seen["profiles"]["carl"]["memberships"] == {"loyal": False, "list": True}
    assert seen["destinations"] == [each["id"] for each in CONFIGURATION["destinations"]]
    assert seen["dataflows"] == [each["id"] for each in CONFIGURATION["dataflows"]]
    assert {who for who, _ in seen["undelivered"]["down"]} == {"ann", "bob/#?", "carl", "dora", "gone"}
    assert Counter(seen["backfills"].values()) == {"done": 1, "running": 3, "waiting": 1, "created": 1, "cancelled": 3}
    assert "destination-down" in seen["alerts"]
    assert "no-changes" not in seen["alerts"]
    assert seen["deliveries"] >= len(seen["alerts"])
    assert seen["subscriptions"].keys() == {"http://127.0.0.1:9/hook", *LATER_SUBSCRIPTIONS}
    assert (seen["quarantined"], seen["down"], seen["redrives"], seen["audited"]) == (2, ["down"], ["crm"], 1)
    assert seen["lastExports"]["crm"] == 8


async def what_0_1_has_no_word_for(both: Both) -> set[str]:
    """The ids of backfills; alerts and subscriptions besides."""
    services = both.relay.services
    resync = await services.resyncs.request("crm", ResyncRequest(scope=Everything(type="everything")))
    lines = await services.audience_uploads.take(("uploads", "list"), b'{"profileId": "ann"}\n', file_format="ndjson")
    refresh = await services.audience_uploads.refresh(("uploads", "list"))
    for details in LATER_SUBSCRIPTIONS.values():
        await services.alert_subscriptions.create(details)
    async with both.alerts() as store:
        await store.alerts.save(Stored(LATER_ALERT, None))
    profiles = services.explain_profile.profiles
    for key in KEYS:
        if (profile := await profiles.find(key)) and not profile.state.forgotten:
            profile.state.told["crm"] = mark(profile.state.version - 1, ["audience"])
            await profiles.save(profile)
    return {resync.backfill.id, lines.id, refresh.id}


async def worked_on_by_0_1(both: Both) -> None:
    """Also what redelivers the changes, and a new one: the row that 0.1 saves is read here again."""
    told_before = await both.told("crm")
    later = {
        "profileId": "ann",
        "occurredAt": format_instant(bootstrap.clock()),
        "attributes": {"person": {"age": 43}},
    }
    new = {"id": "later", "text": json.dumps(later), "receivedAt": bootstrap.clock()}
    outcomes = await both.old("work", [*both.changes, new])
    assert "done" in outcomes["backfill-slices"]
    assert set(outcomes["backfill-slices"]) <= {"done", "waiting", "outdated"}
    told = await both.told("crm") - told_before
    assert told.keys() >= {"ann", "bob/#?", "carl", "dora", "gone"}


async def left_for_this_release(both: Both, backfills: set[str]) -> None:
    """Nothing of it is gone; slices whose pointers 0.1 dropped have new ones as soon as they count as stalled."""
    services = both.relay.services
    ann = await services.explain_profile.look_up("ann")
    assert ann is not None
    assert ann.state.attributes.resolve()["person"] == {"name": {"firstName": "Ann"}, "age": 43}
    undelivered = {each.row.profile_id async for each in both.relay.undelivered.of("down")}
    assert undelivered == {"ann", "bob/#?", "carl", "dora", "gone"}
    async with both.alerts() as store:
        left = await store.alerts.load(LATER_ALERT.key)
    assert left is not None
    assert left.item == LATER_ALERT
    kept = {each.url: each for each in await services.alert_subscriptions.all()}
    assert {url: (kept[url].format, kept[url].events, kept[url].thresholds) for url in LATER_SUBSCRIPTIONS} == {
        url: (each.format, each.events, each.thresholds) for url, each in LATER_SUBSCRIPTIONS.items()
    }
    found = [each.backfill async for each in both.relay.backfills.all() if each.backfill.id in backfills]
    assert Counter(each.kind for each in found) == {BackfillKind.RESYNC: 1, BackfillKind.UPLOAD: 2}
    assert not any(each.finished for each in found)
    both.wait(STALLED_AFTER + SECOND)
    await services.plan_backfills.run()
    for name in backfills:
        for part in [each.slice for each in await both.relay.backfills.slices(name) if not each.slice.done]:
            assert part.sequence > 0
            pointer = SlicePointer(name, part.bucket, part.sequence)
            assert await services.work_slices.work(pointer) == SliceOutcome.DONE
    await services.plan_backfills.run()
    ended = {each.backfill.id: each.backfill.state async for each in both.relay.backfills.all()}
    assert {ended[each] for each in backfills} == {BackfillState.DONE}
    assert "resync" in {each.properties["reason"] for each in await both.exports()}


async def test_what_is_stored_is_read_and_worked_on_and_nothing_is_lost(both: Both) -> None:
    backfills = await what_0_1_has_no_word_for(both)
    await seen_by_0_1(both)
    await worked_on_by_0_1(both)
    await left_for_this_release(both, backfills)


async def test_what_is_tried_is_sent_by_no_0_1_and_gone_once_that_saves_the_configuration(both: Both) -> None:
    services = both.relay.services
    asks = (await services.edit_configuration.load()).dataflow("asks")
    uploaded = MappedAudience(id="list", namespace="uploads")
    more = asks.model_copy(update={"audiences": [*asks.audiences, uploaded]})
    await services.destinations.map(more)  # with a backfill that 0.1 takes note of, by a save
    await services.shadows.begin(more.model_copy(update={"consent": None, "attributes": ["/person"]}), 24)
    told_before = await both.told("asks")
    joins = {
        "profileId": "nobody-asked",
        "occurredAt": format_instant(bootstrap.clock()),
        "attributes": {"person": {"age": 1}},
        "segmentMembership": {
            "ups": {"loyal": {"status": "realized", "lastQualificationTime": format_instant(bootstrap.clock())}}
        },
    }

    await both.old("work", [{"id": "later", "text": json.dumps(joins), "receivedAt": bootstrap.clock()}])

    assert "nobody-asked" not in await both.told("asks") - told_before
    assert "nobody-asked" in await both.told("crm")
    left = await services.edit_configuration.load()
    assert left.dataflow("asks").attributes == asks.attributes
    assert left.shadows == []


def test_all_that_0_1_has_no_word_for_is_named(release: Path) -> None:
    known = release_0_1.act(release, "fields", {})
    later = {
        kind.__name__: {str(each.alias) for each in kind.model_fields.values()} - set(known[kind.__name__])
        for kind in (Destination, MappedAudience, Dataflow, Audience)
    }
    assert later == {
        "Destination": previous_release._DESTINATION,
        "MappedAudience": previous_release._MAPPED_AUDIENCE,
        "Dataflow": set(),
        "Audience": set(),
    }
    assert set(known["rules"]) == set(previous_release._RULES)
    assert {each.name for each in fields(UploadOrder)} - set(known["upload"]) == previous_release._UPLOAD
    assert set(BackfillKind) - set(known["kinds"]) == {BackfillKind.RESYNC, BackfillKind.REDRIVE}


async def test_a_configuration_that_0_1_refuses_is_not_saved_while_one_may_run(tmp_path: Path) -> None:
    document = json.loads(json.dumps(CONFIGURATION))
    document["destinations"][0] |= {"onlyMappedAudiences": True, "keyed": True}
    document["dataflows"][1]["audiences"] = [{"id": "loyal", "activeFrom": "2030-01-01T00:00:00Z"}]
    wanted = parse_configuration_file(document)
    with LocalStack(tmp_path) as stack:
        account = stack.storage_connection_string
        stored.restore(account, RELEASE_1)
        with pytest.raises(ConfigurationError) as refused:
            await apply(account, wanted)
        said = str(refused.value).splitlines()
        assert [each.split(":")[0] for each in said] == [
            "/destinations/crm/keyed",
            "/destinations/crm/onlyMappedAudiences",
            "/dataflows/asks/audiences/loyal/activeFrom",
        ]
        assert all("OLDEST_RELEASE" in each for each in said)
        assert not (await apply(account, parse_configuration_file(CONFIGURATION), dry_run=True)).changes_something
        await apply(account, wanted, oldest_release="0.2")
        document["destinations"][0]["resyncByMessage"] = True
        await apply(account, parse_configuration_file(document))  # it is noted that none runs any more
