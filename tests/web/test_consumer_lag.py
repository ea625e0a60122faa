"""How far a destination's consumers are behind: by the API, and on the tab for consumers; and where that is set."""

import re
from typing import Any, get_args

import pytest

from shared.domain.exports.lag import Checkpoint, HubEnds, PartitionEnds
from shared.domain.instants import SECOND
from shared.errors import LAG_PROBLEMS, ConsumerLagError, StorageError
from shared.services.consumers.lags import LOOK_EVERY
from shared.views.consumer_lag import ProblemKind
from shared.web.permissions import Permission
from tests.kit.api import Api
from tests.kit.builders import NOW, item, membership
from tests.kit.console import Console, fields_of, text_of
from tests.kit.world import World

CONTAINER = "https://contoso.blob.core.windows.net/crm"
PATH = "/api/destinations/d/consumer-lag"
PAGE = "/console/destinations/d/contract"
EDIT = "/console/destinations/d/edit"
NAMESPACE = "contoso.servicebus.windows.net"


async def said(console: Console, path: str) -> str:
    """What the page says, without the spaces that stand for marks of its text."""
    return re.sub(r" ([,.;:])", r"\1", await console.page(path))


@pytest.fixture
async def world() -> World:
    """The destination d names a container: its hub has three partitions, one of them empty."""
    world = World()
    world.hub_properties.hubs["d"] = HubEnds(
        NAMESPACE, "d", 1, {"0": PartitionEnds(0, 99, NOW), "1": PartitionEnds(50, 59, NOW), "2": PartitionEnds(0, -1)}
    )
    world.checkpoints.containers[CONTAINER] = [
        Checkpoint(NAMESPACE, "d", "loader", "0", 79, NOW - 60 * SECOND),
        Checkpoint(NAMESPACE, "d", "loader", "1", 40, NOW - 90 * SECOND),
        Checkpoint(NAMESPACE, "d", "rebuilt", "0", 1_000, NOW - 90 * SECOND),
    ]
    async with Api(world) as api:
        details = {"name": "D", "eventHubName": "d", "consumerCheckpoints": CONTAINER}
        await api.expect(200, "PUT", "/api/destinations/d", json=details)
    world.worker = world.new_worker()
    return world


async def test_each_group_has_its_lag(api: Api) -> None:
    answer = await api.expect(200, "GET", PATH)
    loader, rebuilt = answer.pop("groups")
    assert answer == {
        "consumerCheckpoints": CONTAINER,
        "retentionHours": 24,
        "lookedAt": "2026-01-11T22:00:00Z",
        "problem": None,
    }
    assert loader == {
        "consumerGroup": "loader",
        "events": 30,
        "byPartition": {"0": 20, "1": 10},
        "expired": 9,
        "oldestWaited": {"atLeast": 0, "atMost": None},
        "unread": ["2"],
        "earlier": [],
        "unreadable": [],
        "lastCheckpointAt": "2026-01-11T21:59:00Z",
        "problems": ["9 events expired unread: ask for a resync, and read faster or keep events longer"],
    }
    assert (rebuilt["events"], rebuilt["earlier"]) == (10, ["0"])


async def test_a_destination_that_names_none_says_what_to_do(api: Api) -> None:
    answer = await api.expect(200, "GET", "/api/destinations/e/consumer-lag")
    assert (answer["groups"], answer["consumerCheckpoints"], answer["problem"]["kind"]) == ([], None, "not-named")
    assert "consumerCheckpoints" in answer["problem"]["message"]
    await api.expect(404, "GET", "/api/destinations/other/consumer-lag")


def test_the_api_knows_each_kind_of_problem() -> None:
    assert get_args(ProblemKind) == LAG_PROBLEMS


async def test_what_is_wrong_is_no_error_of_the_api(api: Api) -> None:
    api.world.checkpoints.failures[CONTAINER] = ConsumerLagError("forbidden", "give it a role")
    answer = await api.expect(200, "GET", PATH)
    assert (answer["groups"], answer["problem"]) == ([], {"kind": "forbidden", "message": "give it a role"})


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (f"{CONTAINER}?sv=2024&sig=c2VjcmV0", "without a shared access signature, which is a secret"),
        ("AccountName=a;AccountKey=c2VjcmV0", "no connection string, which holds a secret"),
        ("https://example.com/crm", "expected the URL of a blob container, such as https://"),
    ],
)
async def test_a_secret_or_another_place_is_refused_and_kept_nowhere(api: Api, given: str, why: str) -> None:
    details = {"name": "D", "eventHubName": "d", "consumerCheckpoints": given}
    answer = await api.put("/api/destinations/d", json=details)
    assert answer.status_code == 422
    assert why in answer.text
    for place in (answer.text, api.world.configuration.document, str(api.world.audit.entries)):
        assert "c2VjcmV0" not in place


async def test_the_page_has_a_row_for_each_group(world: World) -> None:
    async with Console(world) as console:
        text = await said(console, PAGE)
        assert f"By the checkpoints in {CONTAINER}, looked at just now. The hub keeps events for 24 hours." in text
        assert "loader 9 events expired unread: ask for a resync, and read faster or keep events longer. 30" in text
        assert "2 partitions behind, most in 0: 20 events 1 min ago" in text  # the third one is empty
        assert "1 partition behind, most in 1: 10 events; 1 without a checkpoint" in text
        assert "partition 0: checkpoint of an earlier hub" in text.replace("Partition", "partition")
        assert "not known yet" in text
        await world.worker.consumer_lags.watch()
        await world.clock.sleep(LOOK_EVERY / SECOND)
        world.hub_properties.hubs["d"] = HubEnds(NAMESPACE, "d", 1, {"0": PartitionEnds(0, 119, NOW)})
        world.checkpoints.containers[CONTAINER] = [Checkpoint(NAMESPACE, "d", "loader", "0", 99, NOW)]
        assert "looked at 5 min ago" in await said(console, PAGE)
        text = await said(console, f"{PAGE}?look=now")
    assert "looked at just now" in text
    assert "loader 20 up to 5 min 1 partition behind, most in 0: 20 events 5 min ago" in text


async def test_the_page_tells_of_a_foreign_container_and_shows_the_rest(world: World) -> None:
    world.checkpoints.containers[CONTAINER] = [Checkpoint("fabrikam", "other", "g", "0", 1, NOW)]
    async with Console(world) as console:
        text = await said(console, PAGE)
    assert f"It cannot be said: Expected checkpoints of {NAMESPACE}/d, found those of fabrikam/other: name the" in text
    assert "AsyncAPI document" in text


async def test_where_storage_fails_the_page_says_so_and_shows_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: str) -> Any:
        raise StorageError("table Runs: HTTP 503")

    monkeypatch.setattr(world.consumer_lags, "load", fail)
    async with Console(world) as console:
        text = await said(console, PAGE)
    assert "It cannot be said: Table Runs: HTTP 503." in text
    assert "AsyncAPI document" in text


async def test_a_destination_that_names_none_leads_to_its_details(world: World) -> None:
    page = "/console/destinations/e/contract"
    async with Console(world) as console:
        assert "once the destination names the container of their checkpoints, in its details." in await said(
            console, page
        )
    async with Console(world, {Permission.VIEW_SEGMENTS}) as console:
        assert "names the container of their checkpoints." in await said(console, page)
    assert world.checkpoints.asked == []


async def test_it_is_set_in_the_form(world: World) -> None:
    async with Console(world) as console:
        form = fields_of((await console.get(EDIT)).text)
        assert (form["consumer_checkpoints"], form["retention_hours"]) == (CONTAINER, "24")
        secret = {"consumer_checkpoints": f"{CONTAINER}?sig=c2VjcmV0", "retention_hours": "a day"}
        wrong = await console.submit(EDIT, form | secret)
        text = text_of(wrong, 422)
        assert "expected a URL without a shared access signature" in text
        assert "expected a whole number" in text
        assert "c2VjcmV0" not in wrong.text
        saved = await console.submit(EDIT, form | {"retention_hours": "168"})
        assert saved.status_code == 303
        settings = await said(console, "/console/destinations/d/settings")
        assert f"{CONTAINER}, the hub keeps events for 168 hours" in settings
        await console.submit(EDIT, fields_of((await console.get(EDIT)).text) | {"consumer_checkpoints": ""})
    stored = (await world.worker.edit_configuration.load()).destination("d")
    assert (stored.consumer_checkpoints, stored.retention_hours) == (None, 168)


async def test_naming_it_changes_nothing_of_what_is_exported(world: World) -> None:
    async with Api(world) as api:
        before = await api.expect(200, "GET", "/api/config")
        details = {"name": "D", "eventHubName": "d", "consumerCheckpoints": f"{CONTAINER}-2", "retentionHours": 72}
        await api.expect(200, "PUT", "/api/destinations/d", json=details)
        after = await api.expect(200, "GET", "/api/config")
        revisions = [(await api.expect(200, "GET", f"/api/dataflows/{each}"))["configRevision"] for each in "de"]
    assert before["destinations"][0]["consumerCheckpoints"] == CONTAINER
    assert after["destinations"][0]["consumerCheckpoints"] == f"{CONTAINER}-2"
    assert revisions == [1, 1]
    assert world.backfills.rows == {}


@pytest.mark.parametrize(("read", "groups"), [(4, ["loader"]), (3, [])])
async def test_who_has_read_past_an_export_is_said_with_it(world: World, read: int, groups: list[str]) -> None:
    await world.handle(item("john.doe", 1, segmentMembership=membership(1)))
    await world.worker.runs.flush()
    await world.clock.sleep(60)
    world.hub_properties.hubs["d"] = HubEnds(NAMESPACE, "d", 1, {"0": PartitionEnds(0, 4, NOW)})
    world.checkpoints.containers[CONTAINER] = [Checkpoint(NAMESPACE, "d", "loader", "0", read, NOW)]
    await world.worker.consumer_lags.watch()
    async with Api(world) as api:
        (shown,) = (await api.expect(200, "GET", "/api/destinations/d/last-exports"))["lastExports"]
    async with Console(world) as console:
        text = await said(console, "/console/destinations/d/exports")
        form = fields_of((await console.get("/console/why")).text) | {"profile_id": "john.doe"}
        why = text_of(await console.submit("/console/why", form))
    assert ("group loader has read past all that was acknowledged of it up to 5 s ago" in why) == bool(groups)
    assert shown["readBy"] == groups
    assert ("read by loader" in text) == bool(groups)
