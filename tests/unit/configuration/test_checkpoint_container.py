"""The URL of the container of consumers' checkpoints: which are taken, and that no secret is."""

import pytest

from shared.domain.configuration.checkpoint_container import parse_checkpoint_container, without_secret


@pytest.mark.parametrize(
    ("text", "account", "name", "is_local"),
    [
        ("https://contoso.blob.core.windows.net/crm", "https://contoso.blob.core.windows.net", "crm", False),
        ("https://contoso.blob.core.windows.net/crm-1/", "https://contoso.blob.core.windows.net", "crm-1", False),
        ("https://abc.z12.blob.storage.azure.net/crm", "https://abc.z12.blob.storage.azure.net", "crm", False),
        ("https://abc.blob.core.chinacloudapi.cn/crm", "https://abc.blob.core.chinacloudapi.cn", "crm", False),
        ("http://127.0.0.1:10000/devstoreaccount1/crm", "http://127.0.0.1:10000/devstoreaccount1", "crm", True),
    ],
)
def test_what_is_taken(text: str, account: str, name: str, is_local: bool) -> None:
    found = parse_checkpoint_container(text)
    assert (found.account, found.name, found.is_local, found.url) == (account, name, is_local, text.removesuffix("/"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "crm-checkpoints",
        "http://contoso.blob.core.windows.net/crm",
        "https://contoso.blob.core.windows.net",
        "https://contoso.blob.core.windows.net/",
        "https://contoso.blob.core.windows.net/crm/below",
        "https://contoso.blob.core.windows.net/CRM",
        "https://contoso.blob.core.windows.net/a--b",
        "https://contoso.blob.core.windows.net/ab",
        f"https://contoso.blob.core.windows.net/{'a' * 64}",
        "https://contoso.blob.core.windows.net/$root",
        "https://contoso.blob.core.windows.net:444/crm",
        "https://contoso.blob.core.windows.net.example.com/crm",
        "https://user@contoso.blob.core.windows.net/crm",
        "https://contoso.blob.core.windows.net/crm#x",
        "https://contoso.queue.core.windows.net/crm",
        "https://169.254.169.254/crm",
        "http://169.254.169.254/devstoreaccount1/crm",
        "http://localhost/devstoreaccount1/crm",
        "https://contoso.blob.core.windows.net/crm\n",
    ],
)
def test_what_is_no_container(text: str) -> None:
    with pytest.raises(ValueError, match="expected the URL of a blob container, such as https://contoso"):
        parse_checkpoint_container(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://contoso.blob.core.windows.net/crm?sv=2024&sig=c2VjcmV0", "without a shared access signature"),
        ("https://contoso.blob.core.windows.net/crm&SIG=c2VjcmV0", "without a shared access signature"),
        ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0", "and no connection string"),
        ("AccountKey=c2VjcmV0", "and no connection string"),
    ],
)
def test_a_secret_is_refused_and_not_repeated(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as raised:
        parse_checkpoint_container(text)
    assert "c2VjcmV0" not in str(raised.value)
    assert "role Storage Blob Data Reader" in str(raised.value)


def test_what_is_shown_again() -> None:
    assert without_secret("https://contoso.blob.core.windows.net/CRM") == "https://contoso.blob.core.windows.net/CRM"
    for secret in ("https://contoso.blob.core.windows.net/crm?sig=x", "AccountName=a;AccountKey=x", "AccountKey=x"):
        assert without_secret(secret) == ""
