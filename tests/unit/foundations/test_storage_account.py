"""Connection strings of storage accounts: what the SDKs take, whatever was added to it, and what they would fail on."""

import pytest

from shared.errors import SettingError
from shared.settings import Settings
from shared.storage_account import local_storage, storage_connection_string

KEY = "c2VjcmV0LWtleQ=="
ACCOUNT = f"DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey={KEY}"
SIGNED = "TableEndpoint=https://contoso.table.core.windows.net;SharedAccessSignature=sv=2024&sig=abc%3D"
MALFORMED = [
    "nonsense",
    KEY,
    "AccountName=contoso",
    f"AccountKey={KEY}",
    f"AccountName=;AccountKey={KEY}",
    f"{ACCOUNT};AccountName=contoso",
    "AccountName=contoso;AccountKey=not base64!",
    f"{ACCOUNT};TableEndpoint=contoso.table.core.windows.net",
    "SharedAccessSignature=sv=2024&sig=abc",
    "UseDevelopmentStorage=false",
    "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://10.0.0.4",
]


@pytest.mark.parametrize("text", [ACCOUNT, SIGNED])
@pytest.mark.parametrize("added", ["{}", "{};", " {}\n", "{};;"])
def test_what_people_and_tools_add_is_left_out(text: str, added: str) -> None:
    assert storage_connection_string(added.format(text)) == text
    assert storage_connection_string(added.format(text.replace(";", "; "))) == text


@pytest.mark.parametrize("text", ["UseDevelopmentStorage=true", " usedevelopmentstorage = True ;"])
def test_the_development_account_is_spelt_out(text: str) -> None:
    assert storage_connection_string(text).startswith("DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;")
    assert local_storage(text)


@pytest.mark.parametrize("text", MALFORMED)
def test_what_no_sdk_could_use_is_refused_by_the_settings_name_and_not_repeated(text: str) -> None:
    assert not local_storage(text)
    settings = Settings.from_environment({"RELAY_STORAGE": text})
    for connect in (settings.tables, settings.queues, settings.blobs):
        with pytest.raises(SettingError, match=r"^app setting RELAY_STORAGE: expected ") as refused:
            connect()
        assert KEY not in str(refused.value)
        assert "\n" not in str(refused.value)
