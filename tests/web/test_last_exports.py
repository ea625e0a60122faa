"""The last exports to a destination, over the API: whole for those who may view profiles, else masked."""

import pytest

from shared.domain.profile_key import profile_key
from shared.views.last_exports import LARGEST_BODY, mask
from shared.web.permissions import Permission
from tests.kit.api import Api
from tests.kit.builders import NOW, at, item, membership
from tests.kit.world import World

PATH = "/api/destinations/d/last-exports"


@pytest.fixture
async def world() -> World:
    """One export, which another instance sent."""
    world = World()
    await world.handle(item("john.doe", 1, segmentMembership=membership(1), attributes={"x": "hush"}))
    await world.worker.runs.flush()
    world.worker = world.new_worker()
    return world


async def test_what_another_instance_sent(api: Api) -> None:
    answer = await api.expect(200, "GET", PATH)
    (sent,) = [each for each in api.world.sender.sent if each.destination.id == "d"]
    assert answer == {
        "lastExports": [
            {
                "acknowledgedAt": "2026-01-11T22:00:00Z",
                "occurredAt": at(1),
                "reasons": ["audience", "attribute"],
                "bytes": len(sent.body),
                "profileVersion": sent.version,
                "configRevision": sent.config_revision,
                "profileId": "john.doe",
                "profileKey": profile_key("john.doe"),
                "bodyState": "sent",
                "readBy": [],
                "body": {
                    "x": "hush",
                    "segmentMembership": {"ups": {"a": {"status": "realized", "lastQualificationTime": at(1)}}},
                    "identityMap": {},
                },
            }
        ],
        "masked": False,
    }
    assert sent.version == NOW


async def test_without_view_profiles_it_is_masked(world: World) -> None:
    async with Api(world, {Permission.MANAGE_DESTINATIONS, Permission.VIEW_SEGMENTS}) as api:
        answer = await api.get(PATH)
    (shown,) = answer.json()["lastExports"]
    assert (shown["profileId"], shown["profileKey"], shown["bodyState"]) == (None, None, "sent")
    assert shown["body"]["x"] == "(text)"
    assert answer.json()["masked"] is True
    for personal in ("john.doe", "hush", profile_key("john.doe")):
        assert personal not in answer.text


async def test_a_body_that_is_too_large_is_left_out(api: Api) -> None:
    await api.world.handle(item("p", 1, segmentMembership=membership(1), attributes={"x": "y" * LARGEST_BODY}))
    await api.world.worker.runs.flush()
    shown = next(each for each in (await api.expect(200, "GET", PATH))["lastExports"] if each["profileId"] == "p")
    assert (shown["body"], shown["bodyState"], shown["bytes"] > LARGEST_BODY) == (None, "sent", True)


async def test_a_destination_that_is_none(api: Api) -> None:
    await api.expect(404, "GET", "/api/destinations/none/last-exports")


def test_a_mask_leaves_the_shape() -> None:
    value = {"a": ["x", 1, 1.5], "b": {"c": True, "d": None}, "e": []}
    hidden = {"a": ["(text)", "(number)", "(number)"], "b": {"c": "(true or false)", "d": "(null)"}, "e": []}
    assert mask(value) == hidden
