"""A destination's contract as an AsyncAPI 3 document: what this app sends to which hub."""

from shared.domain.configuration.model import Destination
from shared.domain.configuration.targets import Target
from shared.domain.exports.contract.schemas import Schema
from shared.domain.exports.export import Export
from shared.domain.jsonvalue import parse_json

VERSION = "3.0.0"
_DESCRIPTION = """\
Each event is the whole picture of one profile. Events come at least once, and older ones may follow newer ones: keep \
the greatest (profileVersion, configRevision) of each destination and profile, drop all others. Who acts on entered \
and left acts once for each of transitionIds. The version of this document is the configRevision since which exports \
look like this. Generators of code: keep the names of properties as they are (Modelina: rawPropertyNames), for \
Modelina renames status, name, type and location otherwise."""


def asyncapi_document(target: Target, body: Schema, properties: Schema, example: Export | None) -> Schema:
    """The document around the two schemas; `example` is of a made-up profile."""
    destination = target.destination
    message: Schema = {
        "name": "export",
        "title": body["title"],
        "summary": body["description"],
        "contentType": "application/json",
        "headers": properties,
        "payload": body,
    }
    if example is not None:
        message["examples"] = [
            {
                "name": "madeUpProfile",
                "summary": "A made-up profile with all that is mapped",
                "headers": dict(example.application_properties),
                "payload": parse_json(example.body.decode()),
            }
        ]
    return {
        "asyncapi": VERSION,
        "id": f"urn:profile-relay:destination:{destination.id}",
        "info": {
            "title": f"Profile exports to {destination.name}",
            "version": str(target.revision),
            "description": _DESCRIPTION,
        },
        "defaultContentType": "application/json",
        "servers": {"eventHubs": _server(destination)},
        "channels": {
            "exports": {
                "address": destination.event_hub_name,
                "description": "An event hub; all exports of a profile are in one partition"
                + (
                    "; the partition key of each is the SHA-256 of profileId, in hexadecimal"
                    if destination.keyed
                    else ""
                ),
                "servers": [{"$ref": "#/servers/eventHubs"}],
                "messages": {"export": {"$ref": "#/components/messages/export"}},
            }
        },
        "operations": {
            "sendExport": {
                "action": "send",
                "summary": "Whenever a mapped profile changes, and for each member by a backfill or resync",
                "channel": {"$ref": "#/channels/exports"},
                "messages": [{"$ref": "#/channels/exports/messages/export"}],
            }
        },
        "components": {"messages": {"export": message}},
    }


def _server(destination: Destination) -> Schema:
    server: Schema = {
        "protocol": "amqps",
        "protocolVersion": "1.0",
        "description": "Event Hubs. Kafka clients read the same events at port 9093",
    }
    if destination.authentication is not None:
        return {"host": destination.authentication.namespace, **server}
    return {
        "host": "{namespace}.servicebus.windows.net",
        **server,
        "variables": {"namespace": {"description": "Of the hub: ask whoever runs the app"}},
    }
