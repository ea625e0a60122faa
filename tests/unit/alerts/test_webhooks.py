"""Where webhooks may be, and how what is sent to them is signed."""

import base64
import hashlib
import hmac
import json

import pytest

from shared.domain.alerts.webhooks import (
    check_webhook_url,
    cloud_event,
    format_secret,
    is_public_address,
    signed_headers,
)
from tests.kit.builders import NOW


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "https://hooks.example.com/",
        "https://hooks.example.com/a/b?c=d&e=%20",
        "https://hooks.example.com:443/x",
        "https://hooks.example.com:8443/x",
        "https://xn--bcher-kva.example/x",
        "https://127.0.0.1.nip.io/",  # what it stands for shows when something is sent
        "HTTPS://Hooks.Example.COM/x",
    ],
)
@pytest.mark.parametrize("local", [False, True])
def test_what_may_be_a_webhook(url: str, local: bool) -> None:
    assert check_webhook_url(url, local_allowed=local) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "//hooks.example.com/",
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "https:hooks.example.com",
        "https:///x",
        "https://hooks.example.com:80/",
        "https://hooks.example.com:22/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:/",
        "https://hooks.example.com:x/",
        "https://hooks.example.com:99999/",
        "https://user@hooks.example.com/",
        "https://user:password@hooks.example.com/",
        "https://@hooks.example.com/",
        "https://hooks.example.com@127.0.0.1/",
        "https://127.0.0.1\\@hooks.example.com/",
        "https://hooks.example.com/#fragment",
        "https://hooks.example.com/#",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\n",
        "https://hooks.example.com/ü",
        "https://hooks\u3002example.com/",
        "https://\u2460.example.com/",
        "https://localhost/",
        "https://localhost./",
        "https://foo.localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://metadata/",
        "https://8.8.8.8/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://169.254.169.254/metadata",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://[2606:4700::1111]/",
        "https://hooks..example.com/",
        "https://-hooks.example.com/",
        "https://" + "a" * 64 + ".example.com/",
    ],
)
@pytest.mark.parametrize("local", [False, True])
def test_what_may_not(url: str, local: bool) -> None:
    with pytest.raises(ValueError, match="expected an https address"):
        check_webhook_url(url, local_allowed=local)


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("http://127.0.0.1:8080/x", True),
        ("http://127.0.0.1:8080", True),
        ("http://127.0.0.1/", False),
        ("http://127.0.0.1:0/", False),
        ("http://127.0.0.2:8080/", False),
        ("http://localhost:8080/", False),
        ("http://user@127.0.0.1:8080/", False),
        ("http://127.0.0.1:8080@hooks.example.com/", False),
        ("http://10.0.0.1:8080/", False),
    ],
)
def test_what_is_local_is_for_the_local_stack(url: str, taken: bool) -> None:
    with pytest.raises(ValueError, match="expected an https address"):
        check_webhook_url(url)
    if taken:
        assert check_webhook_url(url, local_allowed=True) == url
    else:
        with pytest.raises(ValueError, match=r"or http://127\.0\.0\.1:PORT"):
            check_webhook_url(url, local_allowed=True)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("127.0.0.1", False),
        ("127.255.255.254", False),
        ("0.0.0.0", False),  # noqa: S104
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("172.31.255.255", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("168.63.129.16", False),
        ("192.0.0.8", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("203.0.113.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::7f00:1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:168.63.129.16", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
        ("2001:db8::1", False),
        ("fc00::1", False),
        ("fd12::1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("hooks.example.com", False),
        ("", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public_address(address) == public


def test_the_signature_is_the_schemes_own_example() -> None:
    """From the test vectors of Standard Webhooks."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    headers = signed_headers(
        secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", body, "application/json", 1_614_265_330 * 1_000_000
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


def test_a_secret_is_as_the_scheme_has_it() -> None:
    key = bytes(range(32))
    headers = signed_headers(format_secret(key), "e", b"{}", "text/plain", NOW)
    assert headers["content-type"] == "text/plain"
    signed = f"e.{headers['webhook-timestamp']}.{{}}".encode()
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    with pytest.raises(ValueError, match="delete the subscription and create it anew"):
        signed_headers("whsec_!", "e", b"{}", "text/plain", NOW)


def test_an_event_is_a_cloud_event() -> None:
    event = json.loads(cloud_event("e", "opened", "d", NOW, {"x": 1}))
    assert {name: event[name] for name in ("specversion", "id", "source", "type", "subject", "datacontenttype")} == {
        "specversion": "1.0",
        "id": "e",
        "source": "/profile-relay",
        "type": "profile-relay.alert.opened",
        "subject": "d",
        "datacontenttype": "application/json",
    }
    assert event["data"] == {"x": 1}
    assert event["time"].endswith("Z")
    assert "subject" not in json.loads(cloud_event("e", "test", None, NOW, {}))
