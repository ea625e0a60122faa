"""What people do with destinations and dataflows: nothing that the check forbids is done; no summary tells a key."""

from collections.abc import Awaitable, Callable

import pytest
from pydantic import BaseModel, SecretStr

from shared.domain.configuration.given_connection import NewDestination, NewKey, SasKey
from shared.domain.configuration.model import Dataflow, Destination, SasAuthentication
from shared.errors import ConfigurationError, NotConfiguredError, PreconditionFailedError, SecretError, TakenError
from shared.ports.connections import ConnectionProblem, Verified
from shared.services.destinations.manage import ManageDestinations
from tests.kit.world import World

KEY = "c2VjcmV0LWtleS1vZi1hLW5hbWVzcGFjZS1vci1odWI="
OTHER_KEY = "b3RoZXIta2V5LW9mLWEtbmFtZXNwYWNlLW9yLWh1Yg=="
SAS = SasKey(type="sas", namespace="contoso", key_name="send", key=SecretStr(KEY))
NEW = NewDestination(id="crm", name="CRM", event_hub_name="crm", connection=SAS)
NEW_KEY = NewKey(key=SecretStr(OTHER_KEY))


@pytest.fixture
def world() -> World:
    """Its hubs `crm` and `d` can be sent to; `d` and `e` are destinations with dataflows."""
    world = World()
    world.verifier.found |= {"crm": Verified(("0",)), "d": Verified(("0",))}
    return world


def refuse(_there: BaseModel | None) -> None:
    raise PreconditionFailedError("somebody was faster")


async def destination(world: World, destination_id: str) -> Destination:
    return (await world.worker.edit_configuration.load()).destination(destination_id)


Attempt = Callable[[ManageDestinations], Awaitable[object]]


@pytest.mark.parametrize(
    "attempt",
    [
        lambda manage: manage.reconnect("d", SAS, refuse),
        lambda manage: manage.rotate("d", NEW_KEY, refuse),
        lambda manage: manage.change_details("d", Destination(id="d", name="X", event_hub_name="x"), refuse),
        lambda manage: manage.remove("d", refuse),
        lambda manage: manage.map(Dataflow(id="d"), refuse),
        lambda manage: manage.unmap("d", refuse),
        lambda manage: manage.pause("d", refuse),
        lambda manage: manage.resume("d", refuse),
    ],
    ids=["reconnect", "rotate", "change details", "remove", "map", "unmap", "pause", "resume"],
)
async def test_what_the_check_forbids_is_not_done(world: World, attempt: Attempt) -> None:
    before = world.configuration.document
    with pytest.raises(PreconditionFailedError):
        await attempt(world.worker.destinations)
    assert (world.configuration.document, world.secrets.secrets, world.verifier.asked) == (before, {}, [])


@pytest.mark.parametrize(
    "attempt",
    [
        lambda manage: manage.reconnect("nobody", SAS),
        lambda manage: manage.rotate("nobody", NEW_KEY),
        lambda manage: manage.change_details("nobody", Destination(id="d", name="X", event_hub_name="x")),
        lambda manage: manage.remove("nobody"),
        lambda manage: manage.unmap("nobody"),
        lambda manage: manage.pause("nobody"),
        lambda manage: manage.resume("nobody"),
    ],
    ids=["reconnect", "rotate", "change details", "remove", "unmap", "pause", "resume"],
)
async def test_what_there_is_not_is_told_before_anything_is_done(world: World, attempt: Attempt) -> None:
    with pytest.raises(
        NotConfiguredError, match=r"there is no (destination|dataflow) with this id: GET /api/\1s lists"
    ):
        await attempt(world.worker.destinations)
    assert (world.secrets.secrets, world.verifier.asked) == ({}, [])


async def test_a_destination_is_connected_once(world: World) -> None:
    manage = world.worker.destinations
    connected = await manage.connect(NEW)
    assert connected.summary == ["destination crm created"]
    saved = await destination(world, "crm")
    assert isinstance(saved.authentication, SasAuthentication)
    assert saved == connected.plan.configuration.destination("crm")
    with pytest.raises(TakenError, match="there is a destination 'crm' already"):
        await manage.connect(NEW)
    assert len(world.secrets.secrets["profile-relay-crm"]) == 1


async def test_whoever_connects_the_same_id_at_the_same_time_is_told(world: World) -> None:
    """Both have seen that there is none, and both have kept a key, when the first saves."""
    manage = world.worker.destinations
    verify = world.verifier.verify

    async def beaten(*args: object) -> Verified | ConnectionProblem:
        world.verifier.verify = verify  # type: ignore[method-assign]
        await manage.connect(NEW.model_copy(update={"name": "The first"}))
        return Verified(("0",))

    world.verifier.verify = beaten  # type: ignore[method-assign, assignment]
    with pytest.raises(TakenError):
        await manage.connect(NEW)
    assert (await destination(world, "crm")).name == "The first"


async def test_a_connection_that_is_forced_says_so(world: World) -> None:
    world.verifier.found["crm"] = ConnectionProblem("bad-key", "was it regenerated?")
    connected = await world.worker.destinations.connect(NEW, force=True)
    assert connected.summary == ["destination crm created", "forced in spite of bad-key"]


async def test_rotating_changes_the_key_alone(world: World) -> None:
    manage = world.worker.destinations
    await manage.connect(NEW.model_copy(update={"description": "kept"}))
    before = await destination(world, "crm")
    rotated = await manage.rotate("crm", NEW_KEY)
    after = await destination(world, "crm")
    assert after.model_copy(update={"authentication": before.authentication}) == before
    assert after.authentication != before.authentication
    assert rotated.summary == ["destination crm changed"]
    assert not any(key in repr(rotated) for key in (KEY, OTHER_KEY))


async def test_details_leave_the_connection_as_it_is(world: World) -> None:
    manage = world.worker.destinations
    await manage.connect(NEW)
    before = await destination(world, "crm")
    plan = await manage.change_details("crm", Destination(id="x", name="Other", event_hub_name="hub"))
    assert plan.summary == ["destination crm changed"]
    assert await destination(world, "crm") == before.model_copy(update={"name": "Other", "event_hub_name": "hub"})
    with pytest.raises(ConfigurationError, match="/connection: expected it as it is"):
        await manage.change_details("crm", Destination(id="crm", name="X", event_hub_name="x", connection="OTHER"))


async def test_a_destination_goes_with_its_dataflow_and_its_key(world: World) -> None:
    manage = world.worker.destinations
    await manage.reconnect("d", SAS)
    removed = await manage.remove("d")
    assert removed.summary == ["destination d removed", "dataflow d removed", "key of destination d deleted"]
    assert (removed.key_left, world.secrets.secrets) == (False, {})


async def test_a_destination_goes_also_where_its_key_stays(world: World) -> None:
    manage = world.worker.destinations
    await manage.reconnect("d", SAS)
    world.secrets.failure = SecretError("the vault is away")
    removed = await manage.remove("d")
    assert (removed.key_left, removed.summary[-1]) == (True, "its key is left: the vault is away")
    with pytest.raises(NotConfiguredError):
        await destination(world, "d")


async def test_a_dataflow_is_paused_resumed_and_removed(world: World) -> None:
    manage = world.worker.destinations
    assert (await manage.pause("d")).summary == ["dataflow d changed"]
    assert not (await manage.pause("d")).changes_something
    assert (await manage.resume("d")).summary == ["dataflow d changed", "backfill d-3 requested"]
    assert (await manage.unmap("d")).summary == ["dataflow d removed"]
    plan = await manage.map(Dataflow(id="d", attributes=["/x"]))
    assert (plan.creates_something, plan.summary[0]) == (True, "dataflow d created")
    with pytest.raises(ConfigurationError, match="expected the id of a destination, got 'nobody'"):
        await manage.map(Dataflow(id="nobody"))
