"""The events of those who are compared with the app: what the app sends, in all of its parts."""

from collections.abc import Mapping

from azure.eventhub import EventData


def event(body: bytes, message_id: str, properties: Mapping[str, str | int]) -> EventData:
    """Integers go as an AMQP long: the SDK would encode them in 32 bits, which a version does not fit."""
    made = EventData(body)
    made.content_type = "application/json"
    made.message_id = message_id
    made.properties = {
        name: {"TYPE": "LONG", "VALUE": value} if isinstance(value, int) else value
        for name, value in properties.items()
    }
    return made
