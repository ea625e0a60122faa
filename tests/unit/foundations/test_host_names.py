"""By which names the host takes settings, and which value is the host's."""

from collections.abc import Mapping

import pytest

from shared.domain.host_names import as_the_host_reads, names_instead

RELAY = "RELAY_STORAGE"


def test_prefixes_and_sections_come_before_other_spellings() -> None:
    names = ["relay_storage", "CUSTOMCONNSTR_RELAY_STORAGE", "PATH", "RELAY_STORAGE_2", RELAY, f"{RELAY}__clientId"]
    names += ["AzureWebJobsRELAY_STORAGE__clientId"]
    assert names_instead(RELAY, names, connection=True) == [
        "AzureWebJobsRELAY_STORAGE__clientId",
        "CUSTOMCONNSTR_RELAY_STORAGE",
        "relay_storage",
    ]
    assert names_instead(RELAY, names) == ["relay_storage"]


@pytest.mark.parametrize(
    ("environment", "value"),
    [
        ({RELAY: "1"}, "1"),
        ({RELAY: "1", "relay_storage": "2"}, "1"),
        ({RELAY: "", "relay_storage": "2"}, "2"),
        ({RELAY: "1", "ConnectionStrings__RELAY_STORAGE": "2"}, "2"),
        ({RELAY: "1", "SQLCONNSTR_RELAY_STORAGE": "2", "AzureWebJobsRELAY_STORAGE": "3"}, "3"),
        ({RELAY: "1", "AzureWebJobsRELAY_STORAGE__queueServiceUri": "2"}, "1"),
    ],
)
def test_the_value_is_that_by_which_the_host_has_its_messages(environment: Mapping[str, str], value: str) -> None:
    assert as_the_host_reads(environment, RELAY, connection=True)[RELAY] == value
