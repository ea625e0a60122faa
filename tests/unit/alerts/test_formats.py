"""What is posted for an event, by format."""

import json
from typing import Any

import pytest

from shared.domain.alerts.formats import WebhookFormat, content_of
from shared.domain.alerts.webhooks import cloud_event
from tests.kit.builders import NOW

DATA: dict[str, Any] = {
    "state": "open",
    "rule": "dead-rows",
    "severity": "critical",
    "description": "Exports are dead: every attempt has failed",
    "value": 12.0,
    "threshold": 10.0,
    "unit": "exports",
    "openedAt": "2026-01-12T08:00:00Z",
    "resolvedAt": None,
}
WHAT = "Exports are dead: every attempt has failed (dead-rows)"
OPENED = f"Profile Relay: critical since 2026-01-12T08:00:00Z, {{}}: {WHAT}: 12 exports, more than 10"


def posted(form: WebhookFormat, destination_id: str | None = "crm", **data: Any) -> Any:
    body, content_type = content_of(cloud_event("e", "opened", destination_id, NOW, data or DATA), form)
    assert content_type == "application/json"
    return json.loads(body)


def test_a_program_gets_the_event_as_it_is() -> None:
    event = cloud_event("e", "opened", "crm", NOW, DATA)
    assert content_of(event, WebhookFormat.CLOUDEVENT) == (event.encode(), "application/cloudevents+json")


@pytest.mark.parametrize(
    ("destination_id", "data", "text"),
    [
        ("crm", DATA, OPENED.format("crm")),
        ("*", DATA, OPENED.format("the app")),
        (
            "crm",
            DATA | {"state": "resolved", "resolvedAt": "2026-01-12T09:00:00Z"},
            f"Profile Relay: resolved at 2026-01-12T09:00:00Z, crm: {WHAT}, open since 2026-01-12T08:00:00Z",
        ),
        (None, {"message": "This is a test."}, "Profile Relay: This is a test."),
    ],
)
def test_people_get_a_sentence(destination_id: str | None, data: dict[str, Any], text: str) -> None:
    assert posted(WebhookFormat.SLACK, destination_id, **data) == {"text": text}
    [attachment] = posted(WebhookFormat.TEAMS, destination_id, **data)["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["content"]["body"] == [{"type": "TextBlock", "text": text, "wrap": True}]


def test_nothing_of_a_name_becomes_a_link_in_slack() -> None:
    assert "&lt;!channel&gt; &amp;" in posted(WebhookFormat.SLACK, "<!channel> &")["text"]
