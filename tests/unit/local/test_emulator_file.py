"""Microsoft's Event Hubs emulator makes the hubs of its file alone: those that the sample configuration sends to."""

import json

from tests.kit.environments import CHECKOUT


def test_the_emulator_has_the_hubs_of_the_sample_configuration() -> None:
    file = json.loads((CHECKOUT / "local/event-hubs-emulator.json").read_text(encoding="utf-8"))
    sample = json.loads((CHECKOUT / "samples/config.json").read_text(encoding="utf-8"))
    (namespace,) = file["UserConfig"]["NamespaceConfig"]
    hubs = {hub["Name"]: hub for hub in namespace["Entities"]}
    assert hubs.keys() == {destination["eventHubName"] for destination in sample["destinations"]}
    assert {type(hub["PartitionCount"]) for hub in hubs.values()} == {int}
