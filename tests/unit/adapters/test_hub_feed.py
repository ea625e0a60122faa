"""The feed of hubs comes from outside: it is read as names, or refused."""

import pytest

from shared.adapters.event_hubs.listing import NotAFeedError, names_in

ATOM = 'xmlns="http://www.w3.org/2005/Atom"'


def test_names_are_the_titles_of_the_entries() -> None:
    feed = f"""<?xml version="1.0" encoding="utf-8"?>
        <feed {ATOM}><title type="text">EventHubs</title>
          <entry><id>x</id><title type="text">crm</title><content type="application/xml"><EventHubDescription
            xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"/></content></entry>
          <entry><title type="text">ana-lytics_1.x</title></entry><entry/>
        </feed>"""
    assert names_in(feed.encode()) == ["crm", "ana-lytics_1.x"]
    assert names_in(f"<feed {ATOM}/>".encode()) == []


BOMB = '<!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'

OUTSIDE = '<!DOCTYPE feed [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "feed",
    [
        b"",
        b"{}",
        b"<html><body>Sign in</body></html>",
        b"<feed><entry><title>crm</title></entry></feed>",
        f"<feed {ATOM}><entry>".encode(),
        f"{BOMB}<feed {ATOM}><entry><title>&b;</title></entry></feed>".encode(),
        f"{BOMB}<feed {ATOM}><entry><title>&b;</title></entry></feed>".encode("utf-16"),
        f'<!DOCTYPE feed SYSTEM "http://127.0.0.1/x"><feed {ATOM}/>'.encode(),
        f"{OUTSIDE}<feed {ATOM}><entry><title>&x;</title></entry></feed>".encode(),
    ],
)
def test_what_is_no_feed_or_defines_entities_is_refused(feed: bytes) -> None:
    with pytest.raises(NotAFeedError):
        names_in(feed)
