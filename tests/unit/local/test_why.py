"""What `python -m local why` prints of a profile."""

import pytest

from local.commands.why import _show
from shared.domain.instants import DAY, format_instant
from shared.views.explained import explained
from shared.views.profiles import DryRunView, ProfileDocument
from tests.kit.builders import NOW, at, item, membership
from tests.kit.world import World


async def test_what_happened_comes_before_what_would(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    await world.handle(item("p", 1, segmentMembership=membership(1)))
    world.clock.now += 2 * DAY
    world.break_down("d")
    await world.handle(item("p", 2, attributes={"x": 1}), message_id="m2")
    answer = await world.worker.explain_profile.explain(None, "p")
    assert answer.profile is not None
    profile, configuration = ProfileDocument.of(answer.profile), await world.worker.edit_configuration.load()
    _show(profile, explained(profile, DryRunView.of(answer.foreseen), configuration))
    later = format_instant(NOW + 2 * DAY)
    assert capsys.readouterr().out.splitlines() == [
        f"p  version {NOW + 2 * DAY}",
        f"  + ups/a realized since {at(1)}",
        "what happened:",
        "  d (D)",
        f"    retrying since {later}: down",
        f"    {later}  waits    attribute  version {NOW + 2 * DAY}  message m2:0",
        "  e (E)",
        f"    {format_instant(NOW)}  exported audience  version {NOW}",
        "if it were told again now:",
        "  d (D)                sent",
        "  e (E)                sent",
    ]
