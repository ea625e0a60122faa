"""An audience counted, mapped and resynced while changes flow and hosts die, in its short form."""

from pathlib import Path

import pytest

from tests.faults.resync.run import run
from tests.faults.resync.size import SHORT
from tests.kit import running_host


@pytest.mark.runs_the_app
@running_host.needs_short_lease
async def test_each_member_of_a_scope_comes_and_nobody_else(tmp_path: Path) -> None:
    lines: list[str] = []
    results = await run(tmp_path, SHORT, 1, lines.append)
    assert {each.step: each.wrong for each in results if each.wrong} == {}, lines
    by_step = {each.step: each for each in results}
    assert len(by_step) == len(SHORT.steps) + 1
    for step in ("map, killed", "everything, killed", "audience, calm"):
        assert by_step[step].exported >= by_step[step].in_scope > SHORT.members / 2
    assert by_step["everything, killed"].kills == SHORT.kills
