"""What `apply` prints of the backfills that a plan asks for."""

from typing import Any

import pytest

from local.commands.apply import print_plan
from shared.domain.configuration.model import Configuration, parse_configuration_file
from shared.domain.configuration.plan import plan_changes
from shared.domain.instants import MILLISECOND, parse_instant
from tests.kit.builders import destination

NOW_MS = parse_instant("2026-01-11T22:00:00Z") // MILLISECOND


def configured(*audiences: str, enabled: bool = True) -> dict[str, Any]:
    return {
        "destinations": [destination("crm")],
        "dataflows": [{"id": "crm", "audiences": list(audiences), "enabled": enabled}],
    }


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([configured("a", "b")], ["members of 2 audiences"]),
        ([configured("a"), configured("a", "b")], ["members of 1 audience"]),
        ([configured("a"), configured("a")], []),
        ([configured("a"), configured("a", enabled=False)], []),
        (
            [configured("a"), configured("a", enabled=False), configured("a")],
            ["what changed since 2026-01-11T21:50:01Z"],
        ),
        (
            [configured("a"), configured("a", "b", enabled=False), configured("a", "b", "c")],
            ["what changed since 2026-01-11T21:50:01Z, members of 2 audiences mapped since"],
        ),
    ],
)
def test_the_last_step_says_whom_it_backfills(
    steps: list[dict[str, Any]], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    current = Configuration()
    for second, document in enumerate(steps):
        planned = plan_changes(current, parse_configuration_file(document), NOW_MS + second * 1_000)
        current = planned.configuration
    print_plan(planned, backfill_delay=65)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("+ backfill")]
    assert lines == [f"+ backfill    {'crm':<50}{what}, due in about 65 s" for what in expected]
