"""Leaves one export behind that its hub would not take, for whoever looks at the console next."""

from local.broker.control import Fault
from local.commands.demo.scene import Scene
from local.errors import LocalError
from local.eventually import eventually
from shared.bootstrap import clock
from shared.domain.exports.undelivered import UndeliveredState
from shared.domain.instants import SECOND, format_instant

_PROFILE = "john.doe"
_AUDIENCE = "9c1f6bd8-2a53-4d0e-8f6b-41f0c7a4d101"
_DESTINATION = "crm"
_DEADLINE_SECONDS = 60.0


async def leave_a_dead_export(scene: Scene) -> None:
    """Once: the hub takes everything again when this is over. Raises LocalError where none is dead in the end."""
    now = format_instant(clock() // SECOND * SECOND)
    qualified = {"status": "realized", "lastQualificationTime": now}
    scene.stack.broker.set_faults(Fault(kind="size-exceeded", hub=_DESTINATION))
    try:
        await scene.changes.send(
            {"profileId": _PROFILE, "occurredAt": now, "segmentMembership": {"ups": {_AUDIENCE: qualified}}}
        )
        if not await eventually(lambda: _is_dead(scene), timeout=_DEADLINE_SECONDS):
            raise LocalError(f"no export to {_DESTINATION} was dead after {_DEADLINE_SECONDS:.0f} s")
    finally:
        scene.stack.broker.clear_faults()
    scene.title("Left to look at:", "one change in quarantine, and one export that its hub found too large, to redrive")


async def _is_dead(scene: Scene) -> bool:
    states = [stored.row.state async for stored in scene.relay.undelivered.of(_DESTINATION)]
    return UndeliveredState.DEAD in states
