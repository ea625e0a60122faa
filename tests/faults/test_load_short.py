"""The fault load in its short form: whether something gets lost shows before anybody asks for the long one."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.load.run import SHORT_SIZE, run
from tests.faults.load.scenarios import SCENARIOS, SHORT
from tests.faults.wide.load import WIDE
from tests.faults.wide.run import run as run_wide
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


@pytest.mark.runs_the_app
async def test_a_hundred_destinations_that_nobody_has_sent_to_yet_fail_nothing(tmp_path: Path) -> None:
    result = await run_wide(tmp_path, replace(WIDE, changes=150, changes_a_message=50))
    assert result.wrong == {}
    assert result.delivered == result.expected > 500
