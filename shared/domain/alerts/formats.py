"""How an event is told: as it is, or as a message to people in a chat."""

import json
from enum import StrEnum
from typing import Any

from shared.domain.alerts.rules import RULES


class WebhookFormat(StrEnum):
    """`cloudevent`: for programs. The others are what the incoming webhooks of these two take, and nothing else."""

    CLOUDEVENT = "cloudevent"
    SLACK = "slack"
    TEAMS = "teams"


def content_of(event: str, form: WebhookFormat) -> tuple[bytes, str]:
    """The body to post for an event, the JSON of a CloudEvent, and its content type."""
    match form:
        case WebhookFormat.CLOUDEVENT:
            return event.encode(), "application/cloudevents+json"
        case WebhookFormat.SLACK:
            text = _text(event)
            for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):  # else they begin a link
                text = text.replace(character, entity)
            message: dict[str, Any] = {"text": text}
        case WebhookFormat.TEAMS:
            block = {"type": "TextBlock", "text": _text(event), "wrap": True}
            card = {"type": "AdaptiveCard", "version": "1.4", "body": [block]}
            attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
            message = {"type": "message", "attachments": [attachment]}
    return json.dumps(message, ensure_ascii=False).encode(), "application/json"


def _text(event: str) -> str:
    told = json.loads(event)
    data, subject = told["data"], told.get("subject")
    if "message" in data:
        return f"Profile Relay: {data['message']}"
    what = f"{data['description']} ({data['rule']})"
    where = "the app" if subject in {None, "*"} else subject
    if data["state"] == "resolved":
        return f"Profile Relay: resolved at {data['resolvedAt']}, {where}: {what}, open since {data['openedAt']}"
    compared = RULES[data["rule"]].compared if data["rule"] in RULES else "against"
    value = f"{data['value']:g} {data['unit']}, {compared} {data['threshold']:g}"
    return f"Profile Relay: {data['severity']} since {data['openedAt']}, {where}: {what}: {value}"
