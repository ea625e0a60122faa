"""The fault load in its short form: whether something gets lost shows before anybody asks for the long one."""

from pathlib import Path

import pytest

from tests.faults.load.run import SHORT_SIZE, run
from tests.faults.load.scenarios import SCENARIOS, SHORT
from tests.kit import running_host


@pytest.mark.runs_the_app
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=running_host.needs_short_lease if SCENARIOS[name].kills else ()) for name in SHORT],
)
async def test_nothing_is_lost_and_nothing_made_up(name: str, tmp_path: Path) -> None:
    lines: list[str] = []
    outcome = await run(SCENARIOS[name], SHORT_SIZE, seed=1, directory=tmp_path, report=lines.append)
    assert outcome.failures == [], lines
    assert (outcome.result.lost, outcome.result.unexpected) == (0, 0)
    assert outcome.result.acknowledged > 100
    writes = outcome.result.undelivered_writes_per_change, outcome.result.table_writes_per_change
    if SCENARIOS[name].counts_writes:
        assert writes[0] is not None
        assert writes[1] is not None
        assert 0 < writes[0] < writes[1]
    else:
        assert writes == (None, None)
