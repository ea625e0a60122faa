"""Which hosts count as a namespace: names under Azure's suffixes, and nothing that leads anywhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.namespaces import SUFFIXES, is_local_namespace, parse_namespace


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("contoso", "contoso.servicebus.windows.net"),
        ("Contoso-EU1", "contoso-eu1.servicebus.windows.net"),
        ("contoso.servicebus.windows.net", "contoso.servicebus.windows.net"),
        ("CONTOSO.ServiceBus.Windows.NET", "contoso.servicebus.windows.net"),
        ("contoso.servicebus.chinacloudapi.cn", "contoso.servicebus.chinacloudapi.cn"),
        ("contoso.servicebus.usgovcloudapi.net", "contoso.servicebus.usgovcloudapi.net"),
        ("x" * 50, "x" * 50 + ".servicebus.windows.net"),
    ],
)
def test_a_name_or_a_host_is_taken(text: str, host: str) -> None:
    assert parse_namespace(text) == host
    assert parse_namespace(host) == host
    assert not is_local_namespace(host)


ELSEWHERE = [
    "",
    ".",
    "localhost",
    "localhost.servicebus.windows.net.",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "169.254.169.254",
    "10.0.0.4",
    "[::1]",
    "::1",
    "metadata.google.internal",
    "contoso.servicebus.windows.net.",
    ".servicebus.windows.net",
    "servicebus.windows.net",
    "a.b.servicebus.windows.net",
    "contoso.servicebus.windows.net.evil.example",
    "contoso.servicebus.windows.net:5671",
    "contoso.servicebus.windows.net/",
    "contoso.servicebus.windows.net/$Resources",
    "contoso.servicebus.windows.net?",
    "contoso.servicebus.windows.net#.evil.example",
    "contoso.servicebus.windows.net\n",
    " contoso.servicebus.windows.net",
    "contoso.servicebus.windows.net\t",
    "contoso\x00.servicebus.windows.net",
    "user@contoso.servicebus.windows.net",
    "evil.example\\.servicebus.windows.net",
    "evil.example%2f.servicebus.windows.net",
    "evil.example/.servicebus.windows.net",
    "evil.example#.servicebus.windows.net",
    "sb://contoso.servicebus.windows.net",
    "https://contoso.servicebus.windows.net",
    "contososervicebus.windows.net",
    "contoso-.servicebus.windows.net",
    "-contoso",
    "con_toso",
    "x" * 51,
    "xn--conts-fya",
    "xn--conts-fya.servicebus.windows.net",
    "cöntoso",
    "contoso。servicebus。windows。net",
    "\u212aontoso.servicebus.windows.net",  # the Kelvin sign, which is a k in lower case
    "contoso.\u017fervicebus.windows.net",  # the long s, which is an S in upper case
]


@pytest.mark.parametrize("text", ELSEWHERE)
@pytest.mark.parametrize("local_allowed", [False, True])
def test_nothing_else_is(text: str, local_allowed: bool) -> None:
    with pytest.raises(ValueError, match=r"expected the name of an Event Hubs namespace, such as contoso, or its host"):
        parse_namespace(text, local_allowed=local_allowed)


@given(st.text(alphabet="ab.-:/@#?%[]0127\\ \n", max_size=30), st.sampled_from(["", *SUFFIXES]))
def test_whatever_is_taken_is_one_label_under_one_of_the_suffixes(text: str, suffix: str) -> None:
    try:
        host = parse_namespace(text + suffix)
    except ValueError:
        return
    name, _, rest = host.partition(".")
    assert rest in SUFFIXES
    assert name.replace("-", "").isalnum()


@pytest.mark.parametrize("text", ["127.0.0.1:5672", "localhost:5672", "LOCALHOST:1", "127.0.0.1:65535"])
def test_what_is_on_this_machine_is_for_the_local_stack_alone(text: str) -> None:
    assert is_local_namespace(parse_namespace(text, local_allowed=True))
    with pytest.raises(ValueError, match=r"without scheme, port or path$"):
        parse_namespace(text)


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:²", "127.0.0.2:80", "10.0.0.1:80"]
)
def test_of_this_machine_only_a_port_that_is_named_is_taken(text: str) -> None:
    with pytest.raises(ValueError, match=r"or 127\.0\.0\.1:PORT on the local stack"):
        parse_namespace(text, local_allowed=True)
