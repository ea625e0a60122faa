"""The load of a hundred destinations: what it expects is what the app's own rules would export, many or few."""

import json
from dataclasses import replace

import pytest

from shared.domain.configuration.model import parse_configuration_file
from tests.faults.wide.load import WIDE, Size, configuration, expected, mapped, messages
from tests.kit.builders import NOW

SMALL = replace(WIDE, changes=400, changes_a_message=150)
FEW = replace(SMALL, destinations=10, dataflows=10)


def test_few_destinations_map_the_same_audiences_as_many() -> None:
    pairs = [sorted(audience for each in mapped(size).values() for audience in each) for size in (SMALL, FEW)]
    assert len(pairs[0]) == SMALL.mappings
    assert pairs[0] == pairs[1]
    assert set(pairs[0]) == {f"audience-{number}" for number in range(SMALL.audiences)}


@pytest.mark.parametrize("size", [SMALL, FEW])
def test_each_change_is_of_another_profile_and_somebody_hears_of_it(size: Size) -> None:
    parse_configuration_file(configuration(size))
    changes = [change for message in messages(size, NOW) for change in json.loads(message)]
    profiles = {change["profileId"] for change in changes}
    assert len(profiles) == len(changes) == size.changes
    told = expected(size)
    assert {profile for _, profile in told} == profiles
    audiences = {change["profileId"]: set(change["segmentMembership"]["ups"]) for change in changes}
    assert all(mapped(size)[hub] & audiences[profile] for hub, profile in told)
